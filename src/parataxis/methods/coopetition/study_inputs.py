"""What the claims are measured on: the published case and results, a real i* model; or made ones of the same shape."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from parataxis.methods.coopetition.cases import CASES, FORMS, Case
from parataxis.methods.coopetition.dependencies import Dependencies, Dependency
from parataxis.methods.coopetition.game import Game
from parataxis.methods.coopetition.interdependence import Interdependence
from parataxis.methods.coopetition.pistar import from_pistar

RESULTS = "tr1_results_official.json"
MODELS = {  # files of i* models, with the name of each in piStar's own file of examples
    "istar_buyer_driven_ecommerce.json": ("Buyer-driven e-commerce", "buyerDrivenECommerce"),
    "istar_smart_home.json": ("Smart home", "smartHome"),
    "istar_travel_reimbursement.json": ("Travel reimbursement", "travelReimbursement"),
}
PUBLISHED = {"log": (26.633377, 27.399142), "power": (0.832948, 0.876705)}  # of the results file, for the toy
SCORES = {"slcd": (58, 46), "symmetric_high": (56, 38), "symmetric_medium": (54, 41), "asymmetric": (58, 49),
          "platform_developer": (51, 39)}  # fmt: skip
BUYERS = "Buyer-driven e-commerce"
DRAWS = {"quick": 20_000, "full": 200_000, "paper": 200_000}
DESIGN = 22_000
GAMMAS = {"quick": 500, "full": 2000, "paper": 2000}
RANDOM = {"quick": 200, "full": 2000, "paper": 2000}
STARTS = {"quick": 1000, "full": 1000, "paper": 1000}


@dataclass(frozen=True)
class Official:
    """The authors' results file. actions: of S-LCD, by form. scores: by case and form."""

    actions: dict[str, Float[np.ndarray, " actor"]]
    scores: dict[str, dict[str, int]]


@dataclass(frozen=True)
class Inputs:
    """case: S-LCD. official: the results file. models: the i* models, by title; or a made one like the buyers'. draws,
    design, gammas, random, starts: how many. rng: streams by name.
    """

    case: Case
    official: Official
    models: dict[str, Dependencies]
    draws: int
    design: int
    gammas: int
    random: int
    starts: int
    real: bool
    rng: Callable[..., np.random.Generator]

    @property
    def buyers(self) -> Dependencies:
        return self.models[BUYERS]


def toy(rng: np.random.Generator) -> Inputs:
    """The published case and what is published of it, with a handful of draws and a model like the buyers'."""
    key = int(rng.integers(2**31))
    actions = {form: np.array(each) for form, each in PUBLISHED.items()}
    scores = {name: dict(zip(FORMS, each, strict=True)) for name, each in SCORES.items()}

    def named(*names: Any) -> np.random.Generator:
        return np.random.default_rng([key, *("/".join(map(str, names)).encode())])

    return Inputs(CASES["slcd"], Official(actions, scores), {BUYERS: made_model()}, 256, 256, 25, 12, 20, False, named)


def made_model() -> Dependencies:
    """Three actors and eight needs, as many between each two as in the buyers' model."""
    ends = [("B", "A"), ("A", "B"), ("C", "A"), ("C", "B"), ("B", "C"), ("A", "C"), ("B", "A"), ("B", "A")]
    return Dependencies.of(Dependency(one, other, f"need {at}") for at, (one, other) in enumerate(ends))


def load(ctx: Any) -> Inputs:
    kept = json.loads(ctx.data(RESULTS).read_text())
    first, cases = kept["exp1_tr_parameters"], kept["exp5_multi_case"]
    words = {"log": "logarithmic", "power": "power"}
    actions = {form: np.array(first[words[form]]["equilibrium_actions"]) for form in FORMS}
    scores = {name: {form: cases[name][f"{form}_score"] for form in FORMS} for name in CASES}
    models = {title: example(ctx.data(file), name) for file, (title, name) in MODELS.items()}
    sizes = (DRAWS[ctx.scale], DESIGN, GAMMAS[ctx.scale], RANDOM[ctx.scale], STARTS[ctx.scale])
    return Inputs(CASES["slcd"], Official(actions, scores), models, *sizes, True, ctx.rng)


def example(path: Path, name: str) -> Dependencies:
    """One of piStar's examples: alone in a file, or by name in the program that piStar keeps them all in."""
    text = path.read_text(encoding="utf-8")
    found = re.search(rf"^istar\.models\.{name} = (?={{)", text, re.MULTILINE)
    model, _ = json.JSONDecoder().raw_decode(text, found.end() if found else 0)
    return from_pistar(model, path.name)


def random_game(rng: np.random.Generator, n: int, form: str) -> Game:
    """Of n actors, everything drawn; no action reaches the box in most of them."""
    matrix = rng.random((n, n)) * (rng.random((n, n)) < 0.7)
    np.fill_diagonal(matrix, 0.0)
    value, most = FORMS[form][0], 0.9
    names = tuple(chr(ord("a") + at) for at in range(n))
    return Game(
        Interdependence(names, matrix), rng.dirichlet(np.ones(n)), value=value, gamma=float(rng.uniform(0, most))
    )

"""What Skill-It is compared with: fixed mixtures, and curricula over groups and over examples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Int

from parataxis.errors import BadInput
from parataxis.methods.skill_it.controller import mixture_of
from parataxis.methods.skill_it.draws import mixture
from parataxis.methods.skill_it.graph import SkillGraph
from parataxis.methods.skill_it.sampler import Fixed, Rows


def fixed(weights: Mapping[str, float], skills: Sequence[str]) -> Fixed:
    """The same weights in every round, scaled to the sum 1."""
    return Fixed(dict(zip(skills, mixture(weights, skills).tolist(), strict=True)))


def random(groups: Mapping[str, Rows]) -> Fixed:
    """As the raw data has them: each skill as much as it has rows."""
    return fixed({name: float(len(rows)) for name, rows in groups.items()}, list(groups))


def stratified(skills: Sequence[str], relevant: Sequence[str] = ()) -> Fixed:
    """Alike over the relevant skills: all, or those named."""
    return fixed(dict.fromkeys(relevant or skills, 1.0), skills)


def static(graph: SkillGraph, eta: float) -> Fixed:
    """The fixed mixture that the graph alone gives."""
    return Fixed(mixture_of(graph, eta))


@dataclass
class Schedule:
    """Weights by round; the last go on."""

    phases: Sequence[Mapping[str, float]]
    round: int = 0

    @property
    def weights(self) -> Mapping[str, float]:
        return self.phases[min(self.round, len(self.phases) - 1)]


def skill_curriculum(losses: Mapping[str, float], *, hardest_first: bool = False) -> Schedule:
    """One skill after the other, by the initial model's losses, the least first, then all alike: a phase a skill and
    one more, so give it that many rounds. Equal losses fall to the name."""
    order = sorted(losses, key=lambda name: (-losses[name] if hardest_first else losses[name], name))
    phases = [{name: float(name == each) for name in losses} for each in order]
    return Schedule([*phases, dict.fromkeys(losses, 1 / len(losses))])


def curriculum(
    rows: Rows,
    losses: Float[np.ndarray, " row"],
    rounds: int,
    rng: np.random.Generator,
    *,
    hardest_first: bool = False,
) -> Int[np.ndarray, " example"]:
    """As many examples as there are rows, in the order to train on: round r draws its share, without replacement, from
    the first r / rounds of the rows, sorted by the initial model's losses."""
    if len(rows) != len(losses) or not np.isfinite(losses).all():
        raise BadInput(f"losses: {len(losses)} for {len(rows)} rows; expected as many, all finite")
    if not 1 <= rounds <= len(rows):
        raise BadInput(f"rounds={rounds}: expected 1 to {len(rows)}, the number of rows")
    ranked = rows[np.lexsort((rows, -losses if hardest_first else losses))]
    ends = np.linspace(0, len(rows), rounds + 1).astype(int)
    return np.concatenate([rng.permutation(ranked[:end])[: end - start] for start, end in pairwise(ends)])

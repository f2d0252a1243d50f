"""The online rule: weights of skills from a skills graph and the losses of late, by mirror descent. No torch."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from parataxis.errors import BadInput
from parataxis.methods.skill_it.draws import Weights, by_name
from parataxis.methods.skill_it.graph import SkillGraph

ACCUMULATE = ("sum", "mean")
SCHEDULES = ("constant", "inverse_loss")
LONE = ("as_others", "uniform")
LEAST = float(np.finfo(float).tiny)  # a skill may become as good as never drawn, but not impossible


class SkillIt:
    """`weights`: the share of each skill in what is to be trained on next.

    With S_j the sum of the last `window` records of the loss of evaluated skill j, weight i is proportional to
    prior_i exp(eta sum_j A_ij S_j); before the first record all S_j are 1. Give records with `record`, and `update`
    once a round; `update(losses)` does both. A record is one validation, not a round: of five records a round, a window
    of three sees the last three fifths of it.

    accumulate: "mean" takes the mean of the window instead, which is as dividing eta by its length. normalize: losses
    are divided by their first record, so that the unit of the loss does not matter. eta_schedule: "inverse_loss" takes
    eta sum_j L_j(first) / sum_j L_j(last). damping: edges between different skills are multiplied by this at every
    update (the authors' option halves them: 0.5). lone: "uniform" keeps the weight of a skill without edges to or from
    others at 1 / k.

    Skills are kept in the order of their names, so that their order in the graph changes no bit. Raises BadInput.

    Chen et al. 2023, algorithm 1; the window and the options are those of the authors' code.
    """

    def __init__(
        self,
        graph: SkillGraph,
        eta: float = 0.5,
        window: int = 3,
        prior: Mapping[str, float] | None = None,
        *,
        accumulate: str = "sum",
        normalize: bool = False,
        eta_schedule: str = "constant",
        damping: float = 1.0,
        lone: str = "as_others",
    ) -> None:
        _check(eta, window, damping, accumulate=accumulate, eta_schedule=eta_schedule, lone=lone)
        self.graph, self.eta, self.window = graph, float(eta), int(window)
        self.accumulate, self.normalize, self.eta_schedule = accumulate, normalize, eta_schedule
        self.damping, self.lone = float(damping), lone
        self._train, self._eval = (sorted(each) for each in (graph.train_skills, graph.eval_skills))
        rows, columns = graph.train_skills, graph.eval_skills
        cells = np.ix_([rows.index(each) for each in self._train], [columns.index(each) for each in self._eval])
        self._matrix, self._own = np.ascontiguousarray(graph.matrix[cells]), graph.own[cells]
        self.prior = self._read_prior(prior)
        self.records: list[dict[str, float]] = []
        self.round = 0  # how many updates
        self._rows: list[dict[str, float]] = []
        self._eta = self.eta
        self._weights = self._weigh(np.ones(len(self._eval)))
        self._keep()

    @property
    def skills(self) -> tuple[str, ...]:
        return self.graph.train_skills

    @property
    def weights(self) -> dict[str, float]:
        """They sum to 1, and none is 0 but by the prior."""
        found = dict(zip(self._train, self._weights.tolist(), strict=True))
        return {name: found[name] for name in self.skills}

    @property
    def history(self) -> pd.DataFrame:
        """A row an update, from 0, which is before any: records so far, eta, and the weight of each skill."""
        rows = [{**row, **{name: row[name] for name in self.skills}} for row in self._rows]
        return pd.DataFrame(rows, columns=["records", "eta", *self.skills]).rename_axis("round")

    def record(self, losses: Mapping[str, float]) -> None:
        """One validation: the mean loss of every evaluated skill."""
        found = by_name(losses, self._eval, "losses")
        needs = self.normalize or self.eta_schedule == "inverse_loss"
        for name, value in zip(self._eval, found, strict=True):
            if needs and not self.records and value <= 0:
                raise BadInput(
                    f"losses: skill {name!r}: {value:g}: the first record, by which is divided, must be above 0"
                )
        self.records.append(dict(zip(self._eval, found.tolist(), strict=True)))

    def update(self, losses: Mapping[str, float] | None = None) -> dict[str, float]:
        """The weights of the next round, by the records so far. losses: one more record."""
        if losses is not None:
            self.record(losses)
        if not self.records:
            raise BadInput("update: no losses have been recorded; give them, or call record")
        self.round += 1
        table = np.array([list(each.values()) for each in self.records])
        recent = table[-self.window :]
        if self.normalize:
            recent = recent / table[0]
        if self.eta_schedule == "inverse_loss" and (total := table[-1].sum()) > 0:  # at 0 all is learned: eta stays
            self._eta = self.eta * float(table[0].sum() / total)
        self._weights = self._weigh(recent.sum(0) if self.accumulate == "sum" else recent.mean(0))
        self._keep()
        return self.weights

    def state_dict(self) -> dict[str, Any]:
        """All that changes, as JSON holds it."""
        return {
            "identity": self._identity(),
            "round": self.round,
            "eta": self._eta,
            "records": [dict(each) for each in self.records],
            "weights": dict(zip(self._train, self._weights.tolist(), strict=True)),
            "history": [dict(each) for each in self._rows],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there. BadInput if it is the state of another graph or of other options."""
        if state.get("identity") != self._identity():
            raise BadInput(
                "state_dict: is of a controller with another graph or other options; make it as that one was"
            )
        self.round, self._eta = int(state["round"]), float(state["eta"])
        self.records = [dict(each) for each in state["records"]]
        self._weights = np.array([state["weights"][name] for name in self._train])
        self._rows = [dict(each) for each in state["history"]]

    def _read_prior(self, prior: Mapping[str, float] | None) -> Weights:
        if prior is None:
            return np.ones(len(self._train))
        found = by_name(prior, self._train, "prior")
        for name, value in zip(self._train, found, strict=True):
            if value < 0:
                raise BadInput(f"prior: skill {name!r}: {value:g} must be at least 0")
        if not found.any():
            raise BadInput("prior: all are 0; give at least one skill more")
        return found

    def _weigh(self, sums: Float[np.ndarray, " evaluated"]) -> Weights:
        matrix = np.where(self._own, self._matrix, self._matrix * self.damping**self.round)
        drawn = self.prior > 0
        exponent = self._eta * (matrix @ sums)
        with np.errstate(divide="ignore"):
            exponent = exponent + np.log(self.prior)
        found = np.exp(exponent - exponent[drawn].max())
        found = np.where(drawn, np.maximum(found / found.sum(), LEAST), 0.0)
        return self._with_lone(found) if self.lone == "uniform" else found

    def _with_lone(self, weights: Weights) -> Weights:
        """Skills without an edge have 1 / k each; the others share the rest as the rule has it."""
        edges = (self._matrix != 0) & ~self._own
        linked = edges.any(1)
        to = {name for name, any_edge in zip(self._eval, edges.any(0), strict=True) if any_edge}
        alone = np.array([not out and name not in to for name, out in zip(self._train, linked, strict=True)])
        alone &= self.prior > 0
        others = ~alone & (self.prior > 0)
        if not alone.any() or not others.any():
            return np.where(alone, 1 / max(1, alone.sum()), weights)
        each = 1 / int((self.prior > 0).sum())
        rest = np.where(others, weights, 0.0)
        return np.where(alone, each, rest / rest.sum() * (1 - each * alone.sum()))

    def _keep(self) -> None:
        weights = dict(zip(self._train, self._weights.tolist(), strict=True))
        self._rows.append({"records": len(self.records), "eta": self._eta, **weights})

    def _identity(self) -> str:
        options = (self.eta, self.window, self.accumulate, self.normalize, self.eta_schedule, self.damping, self.lone)
        known = json.dumps([self._train, self._eval, self._matrix.tolist(), self.prior.tolist(), options])
        return hashlib.sha256(known.encode()).hexdigest()[:16]


def _check(eta: float, window: int, damping: float, **choices: str) -> None:
    if not (np.isfinite(eta) and eta > 0):
        raise BadInput(f"eta={eta}: expected a number above 0")
    if int(window) != window or window < 1:
        raise BadInput(f"window={window}: expected a whole number of records, at least 1")
    if not 0 <= damping <= 1:
        raise BadInput(f"damping={damping}: expected a factor from 0 to 1")
    allowed = {"accumulate": ACCUMULATE, "eta_schedule": SCHEDULES, "lone": LONE}
    for name, value in choices.items():
        if value not in allowed[name]:
            raise BadInput(f"{name}={value!r}: expected one of {', '.join(allowed[name])}")


def mixture_of(graph: SkillGraph, eta: float, prior: Mapping[str, float] | None = None) -> dict[str, float]:
    """The static use, one round: a fixed mixture, proportional to prior exp(eta A 1)."""
    return SkillIt(graph, eta, prior=prior).weights

"""From cumulative incidences of progression and death to the probabilities of a cycle, with a tail."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from parataxis.errors import BadInput

SLACK = 1e-9  # incidences read from files of 9 decimals


@dataclass(frozen=True)
class TransitionTable:
    """Probabilities that one who is still there at the start of cycle c = 1..cycles progresses, or dies, in it.

    form "cause_specific": of those still free of both events; the two are competing parts of one hazard. form
    "subdistribution": of those free of this event, the dead counted as being there (as in the authors' code, where
    it lets too few leave).
    """

    progression: Float[np.ndarray, " cycle"]
    death: Float[np.ndarray, " cycle"]
    form: str = "cause_specific"

    def __post_init__(self) -> None:
        for name in ("progression", "death"):
            values = getattr(self, name)
            if bad := np.flatnonzero(~((values >= 0) & (values <= 1))).tolist():
                where = f"{name}, cycle {bad[0] + 1}: probability={values[bad[0]]:.6g}"
                raise BadInput(f"{where}: expected 0 to 1; is the curve falling where it must rise?")
        both = self.progression + self.death
        if bad := np.flatnonzero(both > 1 + SLACK).tolist():
            raise BadInput(f"cycle {bad[0] + 1}: progression + death={both[bad[0]]:.6g}: expected at most 1")

    @classmethod
    def from_incidence(
        cls,
        progression: Float[np.ndarray, " cycle"],
        death: Float[np.ndarray, " cycle"],
        form: str = "cause_specific",
        tail: Mapping[str, int] | None = None,
    ) -> "TransitionTable":
        """progression, death: cumulative incidence at the end of each cycle. tail: from which cycle on the probability
        of `progression`, of `death`, is constant: events over patient-cycles at risk before that cycle.
        """
        for name, values in (("progression", progression), ("death", death)):
            check_incidence(values, name)
        given = {"progression": (progression, death), "death": (death, progression)}
        if form == "subdistribution":  # at risk are all who have not had this event
            given = {name: (own, np.zeros_like(own)) for name, (own, _) in given.items()}
        hazards = {name: cause_specific(own, other) for name, (own, other) in given.items()}
        for name, start in (tail or {}).items():
            hazards[name] = _constant_from(hazards[name], start, *given[name], name)
        if form == "subdistribution":
            return cls(hazards["progression"], hazards["death"], form)
        before = min(tail.values()) - 1 if tail else len(progression)
        both = (progression + death)[:before]
        if len(both) and both.max() > 1 + SLACK:
            place = int(np.argmax(both > 1 + SLACK))
            raise BadInput(
                f"cycle {place + 1}: incidences of progression and death add to {both[place]:.3f}: expected at most 1; "
                "give a tail (tail_from) from where the data end"
            )
        return cls(np.clip(hazards["progression"], 0, 1), np.clip(hazards["death"], 0, 1), form)

    def with_deaths_of(self, other: "TransitionTable") -> "TransitionTable":
        """The same with another table's deaths."""
        return TransitionTable(self.progression, other.death, self.form)

    def survival(self) -> Float[np.ndarray, " time"]:
        """Share still free of both events at the end of cycle 0, 1, ..."""
        return np.concatenate([[1.0], np.cumprod(1 - self.progression - self.death)])


def check_incidence(values: Any, name: str) -> None:
    """BadInput unless it rises within 0 to 1 and is finite."""
    if bad := np.flatnonzero(~np.isfinite(values) | (values < -SLACK) | (values > 1 + SLACK)).tolist():
        raise BadInput(f"{name}, cycle {bad[0] + 1}: incidence={values[bad[0]]:.6g}: expected 0 to 1; in percent?")
    if bad := np.flatnonzero(np.diff(values, prepend=0.0) < -SLACK).tolist():
        raise BadInput(
            f"{name}, cycle {bad[0] + 1}: incidence={values[bad[0]]:.6g} falls: expected one that rises; a survival "
            "curve is 1 - incidence"
        )


def cause_specific(
    incidence: Float[np.ndarray, " cycle"], other: Float[np.ndarray, " cycle"]
) -> Float[np.ndarray, " cycle"]:
    """Of those free of either event. Where none is left: 0."""
    free = 1 - np.concatenate([[0.0], (incidence + other)[:-1]])
    return np.divide(np.diff(incidence, prepend=0.0), free, out=np.zeros_like(free), where=free > SLACK)


def incidence_of(probability: Float[np.ndarray, " cycle"]) -> Float[np.ndarray, " cycle"]:
    """The cumulative incidence whose subdistribution probabilities these are."""
    return 1 - np.cumprod(1 - probability)


def _constant_from(hazard: Any, start: int, own: Any, other: Any, name: str) -> Any:
    """start: the first cycle, from 1, of the tail."""
    if not 2 <= start <= len(hazard) + 1:
        raise BadInput(f"{name}: tail_from={start}: expected 2 to {len(hazard) + 1}, the first cycle after the data")
    free = 1 - np.concatenate([[0.0], (own + other)[:-1]])
    found = hazard.copy()
    found[start - 1 :] = own[start - 2] / free[: start - 1].sum()
    return found

"""What the authors' code does otherwise than its paper's words or the textbook, each a named switch."""

from dataclasses import dataclass, fields, replace

from parataxis.errors import BadInput

FORMS = ("cause_specific", "subdistribution")
CYCLE_CORRECTIONS = ("none", "half", "simpson")


@dataclass(frozen=True)
class Behaviour:
    """How a model is read. Each field's default is the correct one.

    time_in_state: utilities know how long the patient has been in the state (recovery after a drug, an adverse event's
    first cycle). adverse_event_arm: the second line's adverse events are billed by the second line's drug, else by the
    first's. first_cycle_cost: an adverse event's first cycle is billed at its own price. billed_once: an adverse event
    is billed in its first cycle only, and the drug is billed on. form: of the cycle probabilities (`tables`). tail:
    constant hazards from `tail_from` on, else what the file holds. cycle_correction: none, half or simpson.
    """

    time_in_state: bool = True
    adverse_event_arm: bool = True
    first_cycle_cost: bool = True
    billed_once: bool = True
    form: str = "cause_specific"
    tail: bool = True
    cycle_correction: str = "none"

    def __post_init__(self) -> None:
        for name, known in (("form", FORMS), ("cycle_correction", CYCLE_CORRECTIONS)):
            if getattr(self, name) not in known:
                raise BadInput(f"{name}={getattr(self, name)!r}: expected one of {', '.join(known)}")

    def but(self, *names: str) -> "Behaviour":
        """The same with these behaviours as they are in CORRECTED."""
        known = [each.name for each in fields(self)]
        if wrong := [name for name in names if name not in known]:
            raise BadInput(f"compat={wrong[0]!r}: unknown behaviour; known: {', '.join(known)}")
        return replace(self, **{name: getattr(CORRECTED, name) for name in names})


CORRECTED = Behaviour()
RELEASED = Behaviour(
    time_in_state=False,
    adverse_event_arm=False,
    first_cycle_cost=False,
    billed_once=False,
    form="subdistribution",
    tail=False,
)
COMPAT = {"released": RELEASED, "corrected": CORRECTED}

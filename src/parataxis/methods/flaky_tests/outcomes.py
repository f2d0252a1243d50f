"""What one run of a suite says of each test, and the verdict on a set of such outcomes.

One outcome is one character: `.` passed, `F` failed, `E` error in setup or teardown, `s` skipped, `C` crashed the
process while it ran, `T` timed out, `-` not run. An expected failure counts as passed, and so does an unexpected pass
that the suite does not mark as strict.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import UInt8

from parataxis.errors import BadInput

PASS, FAIL, ERROR, SKIP = 1, 2, 4, 8  # a set of outcomes is a sum of these
# A crash or a time-out is a failure of the test that ran, and says nothing about those that were still to come.
BITS = {".": PASS, "F": FAIL, "C": FAIL, "T": FAIL, "E": ERROR, "s": SKIP, "-": 0}
PASSING, FAILING = ".", "FECT"  # a skip is neither
ENDING = "CT"  # of the process, so that what was to come did not run
_BIT_OF = np.zeros(256, dtype=np.uint8)
for _character, _bit in BITS.items():
    _BIT_OF[ord(_character)] = _bit


def _verdict(outcomes: int) -> str:
    decisive = outcomes & ~SKIP
    if decisive & PASS:
        return "Flaky" if decisive & (FAIL | ERROR) else "Passed"
    if decisive & FAIL:
        return "Failed"
    if decisive:
        return "Error"
    return "Skipped" if outcomes else "ZeroRuns"


VERDICTS = tuple(_verdict(outcomes) for outcomes in range(16))


def verdict(outcomes: Iterable[str]) -> str:
    """The verdict on a set of outcomes (characters): Passed, Failed, Flaky, Error, Skipped or ZeroRuns.

    A skip counts only if nothing else is there. Source: FlaPy, `Verdict.decide_overall_verdict`.
    """
    seen = 0
    for outcome in outcomes:
        if outcome not in BITS:
            raise BadInput(f"outcome={outcome!r}: expected one of {' '.join(BITS)}")
        seen |= BITS[outcome]
    return VERDICTS[seen]


@dataclass(frozen=True)
class Run:
    """One order, run once in one process of one iteration.

    iteration: the freshly built environment it ran in; kind: `same` for file order, else what made the order (`random`,
    `reverse`, `tuscan`, `replay`, `alone`, ...); index: which of its kind; order: places in the list of tests, in the
    order run; outcomes: one character a test, by place in the list, `-` for a test that is not in the order or was not
    reached; seconds: of the whole run; of: for a replay, the name (`kind/index`) of the order that it repeats.
    """

    iteration: int
    kind: str
    index: int
    order: tuple[int, ...]
    outcomes: str
    seconds: float = 0.0
    of: str | None = None

    @property
    def name(self) -> str:
        return f"{self.kind}/{self.index}"

    def to_row(self) -> dict[str, Any]:
        """The run as an object for JSON lines."""
        return {**asdict(self), "order": list(self.order)}

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> "Run":
        """The run from such an object. Raises BadInput if it is not one."""
        try:
            run = cls(**{**row, "order": tuple(row["order"])})
        except (KeyError, TypeError) as error:
            raise BadInput(f"run={row!r:.80}: not a row of a run ({error}); was the file written by a hunt?") from None
        if unknown := set(run.outcomes) - set(BITS):
            raise BadInput(f"run {run.name}: outcomes hold {sorted(unknown)}; expected {' '.join(BITS)}")
        return run


def outcome_bits(outcomes: str) -> UInt8[np.ndarray, " test"]:
    """One run's outcomes as sets of one: PASS, FAIL, ERROR, SKIP, or 0 for not run."""
    return _BIT_OF[np.frombuffer(outcomes.encode("ascii"), dtype=np.uint8)]

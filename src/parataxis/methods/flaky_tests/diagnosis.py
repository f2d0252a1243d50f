"""What is known of why a test is order-dependent, as data: its kind, its culprits, and the commands that prove it.

The words are those of Shi, Lam, Oei, Xie and Marinov, "iFixFlakies", ESEC/FSE 2019: a victim passes alone and fails
after a polluter, unless a cleaner comes between; a brittle fails alone and passes after a state-setter, unless an
unsetter comes between.
"""

from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Any


class Dependence(Enum):
    """What an order-dependent test is; each value says it in words."""

    VICTIM = "victim: passes alone, fails after a polluter"
    BRITTLE = "brittle: fails alone, passes after a state-setter"
    IMPORT = "import-time: what it does alone depends on which modules were imported"
    REPEAT = "non-idempotent: passes once, fails when it is run again in the same process"
    CHANCE = "by chance: in one and the same order it passes and fails"
    UNKNOWN = "not reproduced: in no order that was tried does it end otherwise than alone"


@dataclass(frozen=True)
class Change:
    """Something that a test left otherwise than it found it.

    shown: with this one change undone, the victim passes again (or the brittle fails again); else it was only seen.
    where: file and line that did it, or "".
    """

    kind: str
    name: str
    before: str
    after: str
    where: str
    shown: bool

    @classmethod
    def from_row(cls, row: dict[str, Any], where: str, shown: bool) -> "Change":
        kind, name, before, after = (str(row[key]) for key in ("kind", "name", "before", "after"))
        return cls(kind, name, before, after, where, shown)


@dataclass(frozen=True)
class Chain:
    """The culprits of a test, in the order in which they must run, with the tests that undo what they do.

    tests: node ids: one polluter or state-setter, or several that must come together in this order.
    undone_by: cleaners or unsetters that were found, of `tried` tests.
    command: runs the culprits and then the test; cold: how the test ended when a fresh interpreter did so, or "".
    changes: what the culprits left, those that were shown to matter first.
    """

    tests: tuple[str, ...]
    command: str = ""
    cold: str = ""
    undone_by: tuple[str, ...] = ()
    tried: int = 0
    changes: tuple[Change, ...] = ()

    @property
    def cause(self) -> Change | None:
        """The change that was shown to matter, if one alone does."""
        return next((change for change in self.changes if change.shown), None)


@dataclass(frozen=True)
class Hint:
    """One likely cause.

    kind: network, randomness, I/O, time, async wait, concurrency or resource leak; shown: by an intervention, else only
    seen along with the failures; p: the probability that chance alone would show this; says: what was done or seen;
    where: file:line in the suite, or ""; fix: what to do.
    """

    kind: str
    shown: bool
    p: float
    says: str
    where: str
    fix: str

    def __str__(self) -> str:
        sure = "shown" if self.shown else "seen"
        at = f" ({self.where})" if self.where else ""
        return f"{self.kind}{at}, {sure}: {self.says}, p = {self.p:.2g}; {self.fix}"


@dataclass(frozen=True)
class Diagnosis:
    """One test.

    alone, cold: how it ends alone in a fork of the collected suite, and in an interpreter that collects only its file.
    chains: the culprits. modules: of an import-time dependence, the files whose import makes the difference; command:
    collects them as well and runs the test first.
    again: how it ends when it is run twice in one process. hints: for a test that fails by chance. notes: what else.
    searched: how many culprits were tried, one by one; forks: that it took.
    """

    nodeid: str
    kind: Dependence
    alone: str
    cold: str
    again: str = ""
    chains: tuple[Chain, ...] = ()
    modules: tuple[str, ...] = ()
    command: str = ""
    hints: tuple[Hint, ...] = ()
    notes: tuple[str, ...] = ()
    searched: int = 0
    forks: int = field(default=0, compare=False)

    def to_row(self) -> dict[str, Any]:
        """As an object for JSON lines."""
        return {**asdict(self), "kind": self.kind.name}

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> "Diagnosis":
        chains = tuple(
            Chain(
                **{
                    **chain,
                    "tests": tuple(chain["tests"]),
                    "undone_by": tuple(chain["undone_by"]),
                    "changes": tuple(Change(**change) for change in chain["changes"]),
                }
            )
            for chain in row["chains"]
        )
        hints = tuple(Hint(**hint) for hint in row["hints"])
        more = {"modules": tuple(row["modules"]), "notes": tuple(row["notes"]), "chains": chains, "hints": hints}
        return cls(**{**row, **more, "kind": Dependence[row["kind"]]})

    @property
    def culprit_word(self) -> str:
        return "state-setter" if self.kind is Dependence.BRITTLE else "polluter"

    @property
    def undoer_word(self) -> str:
        return "unsetter" if self.kind is Dependence.BRITTLE else "cleaner"

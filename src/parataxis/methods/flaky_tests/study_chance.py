"""How often the cause of a failure by chance is named right: on made tests of each kind, most of them known before."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from parataxis.audit.statistics import clopper_pearson
from parataxis.claims import Measurement, Table
from parataxis.files import JsonLines
from parataxis.methods.flaky_tests.study_inputs import MADE, Inputs, suites_in

CLAIMS = ("causes-held-out", "causes-tuned")
HELD_OUT = "held_out"
TUNED = tuple(path.parent.name for path in sorted(MADE.glob("chance/*/pytest.ini")) if path.parent.name != HELD_OUT)
# Some that take a second or two: at the quick scale, these stand for all.
QUICK_HELD_OUT = (
    "test_cluster_recovers_the_three_depots",
    "test_coupon_book_issues_distinct_codes",
    "test_journal_line_lies_close_to_present",
    "test_ledger_export_carries_its_header",
)
QUICK_TUNED = {
    "network": "test_port_is_free",
    "io": "test_parts_are_joined_in_order",
}


@dataclass(frozen=True)
class Told:
    """A made test: the kind of cause that was planted, and that of the first hint, "" if there was none."""

    test: str
    kind: str
    said: str

    @property
    def right(self) -> bool:
        return self.said == self.kind


def measure(inputs: Inputs, ctx: Any) -> Iterator[Measurement | Table]:
    held_out = _told(ctx, held_out=True)
    yield _share_right(CLAIMS[0], held_out)
    begun = time.perf_counter()
    tuned = _told(ctx, held_out=False)
    seconds = time.perf_counter() - begun
    columns = ("kind of cause", "held out: right", "of", "tuned: right", "of")
    kinds = dict.fromkeys(each.kind for each in (*tuned, *held_out))
    rows: list[list[Any]] = [[kind, *_tally(held_out, kind), *_tally(tuned, kind)] for kind in kinds]
    yield Table("causes", columns, rows, "Made tests that fail by chance, by what was planted.")
    yield _share_right(CLAIMS[1], tuned, seconds)


def _told(ctx: Any, held_out: bool) -> list[Told]:
    """What one test was told is on disk before the next, so that a resume explains none twice."""
    if ctx.scale == "toy":
        return made_told()
    from parataxis.methods.flaky_tests.chance import score  # scipy.stats takes longer to load than the toy takes

    suites: Sequence[str] = (HELD_OUT,) if held_out else TUNED
    tests: Sequence[str] = ()
    if ctx.scale == "quick":
        suites, tests = ((HELD_OUT,), QUICK_HELD_OUT) if held_out else (tuple(QUICK_TUNED), tuple(QUICK_TUNED.values()))
    seed = int(ctx.rng("causes").integers(2**32))
    with suites_in(ctx.work, "chance") as folder, JsonLines(ctx.work / "causes.jsonl") as log:
        known = {(row["suite"], row["nodeid"]): Told(**row["told"]) for row in log}
        for each in ctx.progress(score(folder, seed=seed, suites=suites, tests=tests, done=known), "causes"):
            told = Told(each.test, each.kind, each.hints[0].kind if each.hints else "")
            log.append({"suite": each.suite, "nodeid": each.nodeid, "told": asdict(told)})
            known[each.suite, each.nodeid] = told
    return [told for (suite, _), told in known.items() if suite in suites]


def made_told() -> list[Told]:
    """For the toy: tests that are explained right, one that is explained wrong, and one that is not explained."""
    kinds = ("network", "network", "randomness", "randomness", "time", "I/O", "concurrency")
    right = [Told(f"test_{place}", kind, kind) for place, kind in enumerate(kinds)]
    return [*right, Told("test_wrong", "network", "randomness"), Told("test_open", "network", "")]


def _tally(told: Sequence[Told], kind: str) -> tuple[int, int]:
    """How many tests of the kind are explained right, and how many there are."""
    of_kind = [each.right for each in told if each.kind == kind]
    return sum(of_kind), len(of_kind)


def _share_right(claim: str, told: Sequence[Told], seconds: float = 0.0) -> Measurement:
    n, right = len(told), sum(each.right for each in told)
    low, high = map(float, clopper_pearson(right, n))
    wrong = [f"{each.test}: {each.said or 'nothing'}, not {each.kind}" for each in told if not each.right]
    null = shuffled_share([each.kind for each in told], [each.said for each in told])
    return Measurement(claim, right / n, low, high, n, null=null, real=False, note="; ".join(wrong), seconds=seconds)


def shuffled_share(truth: Sequence[str], said: Sequence[str]) -> float:
    """The expected share of agreements if what was said were shuffled among the tests."""
    told = Counter(said)
    return sum(count * told[kind] for kind, count in Counter(truth).items()) / len(truth) ** 2

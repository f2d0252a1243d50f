"""Tests that pass, and fail when they are run again in the same process: their own polluters, not flaky yet.

They fail for whoever repeats a test to see whether it is flaky, and for the next test that needs the same state: Wei,
Yi, Li, Xie and Marinov, "Preempting Flaky Tests via Non-Idempotent-Outcome Tests", ICSE 2022.
"""

from collections.abc import Callable, Iterator, Sequence

from parataxis.methods.flaky_tests.diagnose import REPLAYS, Case
from parataxis.methods.flaky_tests.diagnosis import Diagnosis
from parataxis.methods.flaky_tests.lab import Lab
from parataxis.methods.flaky_tests.outcomes import FAILING, PASSING
from parataxis.methods.flaky_tests.session import Order


def repeating(lab: Lab, tests: Sequence[int], tell: Callable[[str], None] = lambda text: None) -> Iterator[Diagnosis]:
    """A diagnosis for each of `tests` (places in the hunt's list) that always passes alone and then always fails."""
    suspects = _suspects(lab, tests, tell)
    once = lab.last([(test,) for test in suspects for _ in range(REPLAYS)])
    twice = lab.last([(test, test) for test in suspects for _ in range(REPLAYS)])
    for place, test in enumerate(suspects):
        here = slice(place * REPLAYS, (place + 1) * REPLAYS)
        if all(end in PASSING for end in once[here]) and all(end in FAILING for end in twice[here]):
            yield Case(lab, test, once[here][0], "", twice[here][0], []).repeats()


def _suspects(lab: Lab, tests: Sequence[int], tell: Callable[[str], None]) -> list[int]:
    """The tests that may fail the second time. Those of a file share an order, each twice in it."""
    files: dict[str, list[int]] = {}
    for test in tests:
        files.setdefault(lab.head.ids[test].partition("::")[0], []).append(test)
    lab.tell = lambda done, of: tell(f"each test twice: {done} of {of} files")
    orders = [tuple(test for test in group for _ in range(2)) for group in files.values()]
    done = lab.run(Order("lab", 0, order, fresh=not lab.head.forks) for order in orders)
    suspects = []
    for group, each in zip(files.values(), done, strict=True):
        ends = each.outcomes if each else "-" * 2 * len(group)  # an order that ended early says nothing of the rest
        suspects += [test for test, end in zip(group, ends[1::2], strict=True) if end in (*FAILING, "-")]
    return suspects

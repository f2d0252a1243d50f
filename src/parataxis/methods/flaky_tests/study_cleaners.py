"""What each schedule finds where cleaners abound: a made suite with one polluter, 27 cleaners and 12 victims.

It is the twin of a real suite with the same counts, whose code is not ours to ship.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from parataxis.audit.statistics import student
from parataxis.claims import Measurement
from parataxis.methods.flaky_tests.outcomes import FAILING
from parataxis.methods.flaky_tests.reruns import rerun_curve, victim_rate
from parataxis.methods.flaky_tests.schedules import reverse, shuffle, tuscan_rows
from parataxis.methods.flaky_tests.session import Done, Limits, Order, Session
from parataxis.methods.flaky_tests.study_inputs import Inputs, suites_in
from parataxis.methods.flaky_tests.suite import find_suite

CLAIMS = ("cleaners-reverse", "cleaners-shuffles", "cleaners-tuscan", "cleaners-walk")
TOY, WHOLE = (2, 1, 2), (14, 13, 12)  # cleaners before and after the polluter, victims
REPEATS = {"toy": 2, "quick": 2, "full": 30}  # of as many shuffles as a Tuscan square has rows
LIMITS = Limits(10.0, {}, 600.0)
TWIN = """\
import pytest

STATE = {{"clean": True}}


@pytest.mark.parametrize("n", range({before}))
def test_clean_before(n):
    STATE["clean"] = True


def test_pollute():
    STATE["clean"] = False


@pytest.mark.parametrize("n", range({after}))
def test_clean_after(n):
    STATE["clean"] = True


@pytest.mark.parametrize("n", range({victims}))
def test_victim(n):
    assert STATE["clean"]


def test_bystander():
    assert len(STATE) == 1
"""


def measure(inputs: Inputs, ctx: Any) -> Iterator[Measurement]:
    before, after, victims = TOY if ctx.scale == "toy" else WHOLE
    with suites_in(ctx.work) as folder:
        (folder / "pytest.ini").write_text("[pytest]\n")
        (folder / "test_twin.py").write_text(TWIN.format(before=before, after=after, victims=victims))
        with Session(find_suite([folder]), 0, seed=0, jobs=ctx.jobs) as session:
            twin = _Twin(session)
            backwards, rows = twin.share_found([reverse(twin.ids)]), list(tuscan_rows(twin.ids, 0))
            tuscan, (in_file_order, walk) = twin.share_found(rows), twin.walked()
            seeds = [
                int(ctx.rng("shuffles", k).integers(2**32)) for k in range(REPEATS.get(ctx.scale, REPEATS["full"]))
            ]
            shuffles = [
                twin.share_found(shuffle(twin.ids, seed, index) for index in range(len(rows)))
                for seed in ctx.progress(seeds, "shuffles")
            ]
    expected = float(rerun_curve(len(rows), np.array([victim_rate(1, before + after)]))[0])
    mean, low, high = mean_interval(np.array(shuffles))
    of = f"{victims} victims, {len(rows)} orders"
    yield _exact("cleaners-reverse", backwards, victims, tuscan, of)
    yield Measurement(
        "cleaners-shuffles", mean, low, high, len(seeds), baseline=expected, null=tuscan, real=False, data=of
    )
    yield _exact("cleaners-tuscan", tuscan, victims, backwards, of)
    yield _exact("cleaners-walk", walk, victims, in_file_order, of)


def _exact(claim: str, share: float, n: int, null: float, of: str) -> Measurement:
    return Measurement(claim, share, share, share, n, null=null, real=False, data=of)


def mean_interval(values: Float[np.ndarray, " repeat"]) -> tuple[float, float, float]:
    """The mean of shares, with Student's 95% interval as far as a share can go."""
    mean, low, high = student(values)
    return mean, max(0.0, low), min(1.0, high)


def share_probed(lines: Sequence[str]) -> float:
    """The share of tests that fail in at least one of the lines, which hold a character a test."""
    return float(np.mean([any(end in FAILING for end in column) for column in zip(*lines, strict=True)]))


class _Twin:
    """The suite, collected, and its victims."""

    def __init__(self, session: Session) -> None:
        self.session, self.ids = session, session.collected().ids
        self.victims = [place for place, nodeid in enumerate(self.ids) if "test_victim" in nodeid]

    def share_found(self, orders: Iterable[tuple[int, ...]]) -> float:
        """The share of the victims that fail in at least one of the orders."""
        return self._share(self._run(Order("twin", index, order) for index, order in enumerate(orders)))

    def _run(self, orders: Iterable[Order]) -> Iterator[Done]:
        return self.session.run(orders, LIMITS, seeded=[], isolate=False)  # it touches no file

    def _share(self, runs: Iterable[Done]) -> float:
        failed = {done.order.order[place] for done in runs for place, end in enumerate(done.outcomes) if end in FAILING}
        return len(failed & {*self.victims}) / len(self.victims)

    def walked(self) -> tuple[float, float]:
        """The shares that one walk in file order finds: by itself, and by the probes of all victims at each step."""
        probes = tuple((victim,) for victim in self.victims)
        walk = Order("walk", 0, tuple(range(len(self.ids))), probes=probes, each=True)
        (done,) = self._run([walk])
        return self._share([done]), share_probed(done.probed)

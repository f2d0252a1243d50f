"""The claims that published lists decide."""

import io
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from parataxis.audit.statistics import clopper_pearson
from parataxis.claims import Figure, Measurement, Table
from parataxis.methods.flaky_tests.flapy import TEST, tests_overview
from parataxis.methods.flaky_tests.order_tests import order_test, pearson
from parataxis.methods.flaky_tests.reruns import rerun_curve, runs_for_rate, runs_for_share
from parataxis.methods.flaky_tests.study_inputs import Inputs

DRAWS = 2_000  # of the bootstrap
SHUFFLES = 200  # of published results among the tests; the null is the mean

Found = Iterator[Measurement | Figure | Table]
Draw = Callable[..., np.random.Generator]


def _exact(claim: str, value: float, n: int, **more: Any) -> Measurement:
    """A figure of the data set itself: nothing is drawn, so the interval is a point."""
    return Measurement(claim, value, value, value, n, **more)


def between_projects(
    projects: list[str], statistic: Callable[[Int[np.ndarray, " test"]], float], rng: np.random.Generator
) -> tuple[float, float, float]:
    """The statistic on all tests, and its 95% interval by a bootstrap that draws whole projects."""
    of_project: dict[str, list[int]] = defaultdict(list)
    for test, project in enumerate(projects):
        of_project[project].append(test)
    groups = [np.array(of_project[project]) for project in sorted(of_project)]
    drawn = [
        statistic(np.concatenate([groups[i] for i in rng.integers(len(groups), size=len(groups))]))
        for _ in range(DRAWS)
    ]
    value = statistic(np.arange(len(projects)))
    low, high = np.quantile(drawn, [0.025, 0.975], method="nearest")
    return value, min(float(low), value), max(float(high), value)


def _cells_alike(rows: list[dict[str, Any]], published: list[dict[str, Any]]) -> list[bool]:
    ours = {row["Test_nodeid"]: row for row in tests_overview(rows)}
    return [ours[row["Test_nodeid"]][name] == cell for row in published for name, cell in row.items()]


def _classes(inputs: Inputs, rng: Draw) -> Found:
    alike = _cells_alike(inputs.rows, inputs.published)
    names = sorted({tuple(row[name] for name in TEST) for row in inputs.rows})
    next_one = dict(zip(names, names[1:] + names[:1], strict=True))
    moved = [
        {**row, **dict(zip(TEST, next_one[tuple(row[name] for name in TEST)], strict=True))} for row in inputs.rows
    ]
    null = float(np.mean(_cells_alike(moved, inputs.published)))
    yield _exact("classes", float(np.mean(alike)), len(alike), null=null)


def _categories(inputs: Inputs, rng: Draw) -> Found:
    known = [test for test in inputs.python_tests if test.category]
    ordered = np.array([test.category.startswith("OD") for test in known])
    value, low, high = between_projects(
        [test.project for test in known], lambda tests: float(ordered[tests].mean()), rng("known")
    )
    yield Measurement("order-dependence-share", value, low, high, len(known))

    kinds = [test for test in known if test.category in ("OD-Vic", "OD-Brit")]
    victim = np.array([test.category == "OD-Vic" for test in kinds])
    value, low, high = between_projects([test.project for test in kinds], ratio(victim), rng("kinds"))
    yield Measurement("victims-to-brittles", value, low, high, len(kinds), null=1.0)


def ratio(victim: Bool[np.ndarray, " test"]) -> Callable[[Int[np.ndarray, " test"]], float]:
    """Victims per brittle among some of the tests; one brittle at least, should a draw of projects hold none."""
    return lambda tests: float(victim[tests].sum() / max(1, np.count_nonzero(~victim[tests])))


def _shuffles(inputs: Inputs, rng: Draw) -> Found:
    rates = np.array([float(test.failure_rate()) for test in inputs.dependences])
    mean = np.array([rates.mean()])
    n = len(rates)
    yield _exact("shuffles-for-95-percent", float(runs_for_share(rates)), n, null=float(runs_for_share(mean)))
    yield _exact("found-in-31-shuffles", float(rerun_curve(31, rates)[0]), n, null=float(rerun_curve(31, mean)[0]))
    value, low, high = between_projects(
        [test.project for test in inputs.dependences],
        lambda tests: float(runs_for_share(rates[tests])),
        rng("dependences"),
    )
    yield Measurement("shuffles-elsewhere", value, low, high, n)


def _reruns(inputs: Inputs, rng: Draw) -> Found:
    rates = inputs.rates.failures.sum(axis=1) / inputs.rates.runs.sum(axis=1)
    rates, projects = rates[rates > 0], [p for p, rate in zip(inputs.rates.projects, rates, strict=True) if rate > 0]
    shuffled = np.array([float(test.failure_rate()) for test in inputs.dependences])
    populations = {"order-dependent, shuffled": shuffled, "at random, in any order": rates}
    yield Table(
        "reruns",
        ["tests that fail", "tests", "runs in which 95% of them fail", "runs a test needs: mean", "median"],
        [[name, len(some), runs_for_share(some), *_single(some)] for name, some in populations.items()],
        "Runs for 95%: within which 95% of the tests have failed, and that each test needs to fail with 95%.",
    )
    yield _curves(populations)
    for claim, runs, null in (
        ("found-in-ten-reruns", 10, rerun_curve(10, shuffled)[0]),
        ("found-in-170-reruns", 170, None),
    ):

        def found(tests: Int[np.ndarray, " test"], runs: int = runs) -> float:
            return float(rerun_curve(runs, rates[tests])[0])

        value, low, high = between_projects(projects, found, rng("rates", runs))
        yield Measurement(claim, value, low, high, len(rates), null=None if null is None else float(null))


def _single(rates: Float[np.ndarray, " test"]) -> tuple[float, float]:
    needed = [runs_for_rate(rate) for rate in rates.tolist()]
    return round(float(np.mean(needed)), 1), float(np.median(needed))


def _curves(populations: dict[str, Float[np.ndarray, " test"]]) -> Figure:
    import matplotlib as mpl
    from matplotlib.figure import Figure as Canvas

    runs = np.unique(np.geomspace(1, 5000, 200).astype(int))
    canvas = Canvas(figsize=(6, 3.6), layout="constrained")
    axes = canvas.add_subplot()
    for name, rates in populations.items():
        axes.plot(runs, 100 * rerun_curve(runs, rates), label=name)
    axes.axhline(95, color="0.6", linewidth=0.8)
    axes.set(xscale="log", xlabel="runs", ylabel="tests that have failed, %", ylim=(0, 100))
    axes.legend(frameon=False, loc="lower right", title="tests that fail")
    image = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "rerun-curve"}):  # the same bytes in each run
        canvas.savefig(image, format="svg", metadata={"Date": None})
    return Figure("rerun-curve", image.getvalue(), "Share of flaky tests that show themselves within so many runs.")


def _order_matters(inputs: Inputs, rng: Draw) -> Found:
    rates = inputs.rates
    n = len(rates.p)
    p = pearson(rates.failures, rates.runs)
    others = rng("others").permuted(np.tile(np.arange(n), (SHUFFLES, 1)), axis=1)
    null = float(np.mean((p < 0.05) == rates.less[others]))
    yield _exact("order-matters-decisions", float(np.mean((p < 0.05) == rates.less)), n, null=null)
    null = float(np.mean(np.abs(p - rates.p[others]) < 0.01))
    yield _exact("order-matters-p-values", float(np.mean(np.abs(p - rates.p) < 0.01)), n, null=null)
    stand = order_test(rates.failures, rates.runs).p[rates.less] < 0.05
    low, high = clopper_pearson(int(stand.sum()), len(stand))
    yield Measurement("order-matters-exactly", float(stand.mean()), float(low), float(high), len(stand))


# With what each yields.
PARTS: dict[tuple[str, ...], Callable[[Inputs, Draw], Found]] = {
    ("classes",): _classes,
    ("order-dependence-share", "victims-to-brittles"): _categories,
    ("shuffles-for-95-percent", "found-in-31-shuffles", "shuffles-elsewhere"): _shuffles,
    ("found-in-ten-reruns", "found-in-170-reruns"): _reruns,
    ("order-matters-decisions", "order-matters-p-values", "order-matters-exactly"): _order_matters,
}

"""The claims of paper.toml, measured; and the symmetries, with a twin of each system that breaks it."""

import io
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from parataxis.audit.statistics import clopper_pearson
from parataxis.claims import Figure, Measurement, System, Table
from parataxis.methods.flaky_tests.classify import Kind, classify
from parataxis.methods.flaky_tests.flapy import (
    TEST,
    WORDS,
    passed_failed,
    read_passed_failed,
    read_tests_overview,
    tests_overview,
)
from parataxis.methods.flaky_tests.idoft import (
    Dependence,
    FlakyTest,
    OrderRates,
    read_dependences,
    read_order_rates,
    read_python_tests,
)
from parataxis.methods.flaky_tests.order_test import order_test, pearson
from parataxis.methods.flaky_tests.outcomes import Run
from parataxis.methods.flaky_tests.reruns import rerun_curve, runs_for_rate, runs_for_share
from parataxis.methods.flaky_tests.schedules import reverse, shuffle

DRAWS = 2_000  # of the bootstrap
SHUFFLES = 200  # of published results among the tests; the null is the mean


@dataclass(frozen=True)
class Inputs:
    """What the study works on.

    rows, published: FlaPy's outcomes and its published table of classes; python_tests, dependences, rates: IDoFT's
    lists; ids, runs: a made suite and its runs, for the symmetries; real: false for the toy.
    """

    rows: list[dict[str, Any]]
    published: list[dict[str, Any]]
    python_tests: list[FlakyTest]
    dependences: list[Dependence]
    rates: OrderRates
    ids: list[str]
    runs: list[Run]
    real: bool


# One made test a line: its class by the paper's rules, and its outcomes in iterations of file order | shuffles.
PLANTED = [
    (Kind.NOT_FLAKY, ["...|...", "...|..."]),
    (Kind.NOT_FLAKY, ["FFF|FFF", "FFF|FFF"]),
    (Kind.NOD, ["...|...", ".F.|..."]),
    (Kind.NOD, ["F..|.F.", "...|.F."]),
    (Kind.OD, ["...|.F.", "...|..F"]),
    (Kind.OD, ["FFF|F.F", "FFF|FFF"]),
    (Kind.INFRA, ["...|...", "EEE|EEE"]),
    (Kind.NOT_FLAKY, ["sss|sss", "...|..."]),
]


def made_runs() -> list[Run]:
    """The runs of the made suite: two iterations of three runs in file order and three shuffles."""
    ids = made_ids()
    runs = []
    for iteration in range(2):
        halves = [outcomes[iteration].split("|") for _, outcomes in PLANTED]
        for index in range(3):
            for half, kind in enumerate(("same", "random")):
                order = tuple(range(len(ids))) if kind == "same" else shuffle(ids, iteration, index)
                runs.append(Run(iteration, kind, index, order, "".join(both[half][index] for both in halves)))
    return runs


def made_ids() -> list[str]:
    return [f"tests/test_{'abc'[place // 3]}.py::test_{place}" for place in range(len(PLANTED))]


def toy(rng: np.random.Generator) -> Inputs:
    """The smallest legal input: the made suite, and a handful of made tests in each of IDoFT's lists."""
    ids, runs = made_ids(), made_runs()
    published = [{"Test_nodeid": nodeid, "flaky?": WORDS[kind]} for nodeid, (kind, _) in zip(ids, PLANTED, strict=True)]
    projects = [f"project-{i % 3}" for i in range(12)]
    python_tests = [
        FlakyTest(project, f"t{i}", ("OD-Vic", "OD-Brit", "OD-Vic", "NOD")[i // 3])
        for i, project in enumerate(projects)
    ]
    causes: list[dict[str, frozenset[str]]]
    causes = [{"p": frozenset()}, {"p": frozenset({"c"})}, {"p": frozenset(), "q": frozenset({"c"})}]
    dependences = [Dependence(f"project-{i}", f"v{i}", "victim", cause) for i, cause in enumerate(causes)]
    dependences.append(Dependence("project-3", "b", "brittle", {f"s{i}": frozenset() for i in range(9)}))
    counts = np.full((6, 4), 50)
    failures = rng.binomial(counts, np.where(np.arange(6)[:, None] < 3, [0.0, 0.0, 0.0, 0.8], 0.02))
    p = pearson(failures, counts)
    rates = OrderRates(projects[:6], failures, counts, p, p < 0.05)
    return Inputs(passed_failed(runs, ids), published, python_tests, dependences, rates, ids, runs, real=False)


def load(ctx: Any) -> Inputs:
    return Inputs(
        read_passed_failed(ctx.data("flapy-passed-failed-reference.csv")),
        read_tests_overview(ctx.data("flapy-tests-overview-reference.csv")),
        read_python_tests(ctx.data("idoft-py-data.csv")),
        read_dependences(ctx.data("idoft-odr-tests.csv.gz")),
        read_order_rates(ctx.data("idoft-tso-iso-rates.csv")),
        made_ids(),
        made_runs(),
        real=True,
    )


def study(ctx: Any) -> Iterator[Measurement | Figure | Table]:
    """All claims and symmetries; the data sets are whole at every scale but the toy's."""
    inputs = toy(ctx.rng("toy")) if ctx.scale == "toy" else load(ctx)
    for part in (_classes, _categories, _shuffles, _reruns, _order_matters):
        for found in part(inputs, ctx.rng):
            yield replace(found, real=inputs.real) if isinstance(found, Measurement) else found
    for symmetry, system in systems(inputs).items():
        yield replace(ctx.audit(symmetry, system, system.items), real=False)


# -- the claims ----------------------------------------------------------------------------------------------------

Found = Iterator[Measurement | Figure | Table]
Draw = Callable[..., np.random.Generator]


def _exact(claim: str, value: float, n: int, **more: Any) -> Measurement:
    """A figure of the data set itself: nothing is drawn, so the interval is a point."""
    return Measurement(claim, value, value, value, n, **more)


def _between_projects(
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
    value, low, high = _between_projects(
        [test.project for test in known], lambda tests: float(ordered[tests].mean()), rng("known")
    )
    yield Measurement("order-dependence-share", value, low, high, len(known))

    kinds = [test for test in known if test.category in ("OD-Vic", "OD-Brit")]
    victim = np.array([test.category == "OD-Vic" for test in kinds])

    def ratio(tests: Int[np.ndarray, " test"]) -> float:
        # one brittle at least, should a draw of projects hold none
        return float(victim[tests].sum() / max(1, np.count_nonzero(~victim[tests])))

    value, low, high = _between_projects([test.project for test in kinds], ratio, rng("kinds"))
    yield Measurement("victims-to-brittles", value, low, high, len(kinds), null=1.0)


def _shuffles(inputs: Inputs, rng: Draw) -> Found:
    rates = np.array([float(test.failure_rate()) for test in inputs.dependences])
    mean = np.array([rates.mean()])
    n = len(rates)
    yield _exact("shuffles-for-95-percent", float(runs_for_share(rates)), n, null=float(runs_for_share(mean)))
    yield _exact("found-in-31-shuffles", float(rerun_curve(31, rates)[0]), n, null=float(rerun_curve(31, mean)[0]))
    value, low, high = _between_projects(
        [test.project for test in inputs.dependences],
        lambda tests: float(runs_for_share(rates[tests])),
        rng("dependences"),
    )
    yield Measurement("shuffles-elsewhere", value, low, high, n)


def _reruns(inputs: Inputs, rng: Draw) -> Found:
    rates = inputs.rates.failures.sum(axis=1) / inputs.rates.runs.sum(axis=1)
    rates, projects = rates[rates > 0], [p for p, rate in zip(inputs.rates.projects, rates, strict=True) if rate > 0]
    shuffled = np.array([float(test.failure_rate()) for test in inputs.dependences])
    for claim, runs, null in (
        ("found-in-ten-reruns", 10, rerun_curve(10, shuffled)[0]),
        ("found-in-170-reruns", 170, None),
    ):

        def found(tests: Int[np.ndarray, " test"], runs: int = runs) -> float:
            return float(rerun_curve(runs, rates[tests])[0])

        value, low, high = _between_projects(projects, found, rng("rates", runs))
        yield Measurement(claim, value, low, high, len(rates), null=None if null is None else float(null))
    populations = {"order-dependent, shuffled": shuffled, "at random, in any order": rates}
    yield Table(
        "reruns",
        ["tests that fail", "tests", "runs in which 95% of them fail", "runs a test needs: mean", "median"],
        [[name, len(some), runs_for_share(some), *_single(some)] for name, some in populations.items()],
        "Runs for 95%: within which 95% of the tests have failed, and that each test needs to fail with 95%.",
    )
    yield _curves(populations)


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


# -- the symmetries ------------------------------------------------------------------------------------------------


def systems(inputs: Inputs) -> dict[str, System]:
    """For each symmetry what it is true of, and a twin with a mistake that makes the outcome depend on position."""
    ids, runs = inputs.ids, inputs.runs
    histories = [(nodeid, "".join(run.outcomes[test] for run in runs)) for test, nodeid in enumerate(ids)]
    counts = [(7, 20), (1, 30), (2, 20), (0, 40), (1, 20)]  # failures and runs of one test in five orders

    def arrival(arrived: list[Run]) -> list[str]:
        return [kind.value for kind in classify(arrived, len(ids))]

    def iteration_by_place(arrived: list[Run]) -> list[str]:
        return arrival([replace(run, iteration=place // 6) for place, run in enumerate(arrived)])

    def relabelling(tests: list[tuple[str, str]]) -> list[str]:
        told = [
            replace(run, outcomes="".join(history[place] for _, history in tests)) for place, run in enumerate(runs)
        ]
        return [kind.value for kind in classify(told, len(tests))]

    def first_decides(tests: list[tuple[str, str]]) -> list[str]:
        return [relabelling(tests)[0]] * len(tests)

    def collection(collected: list[str]) -> list[str]:
        return [collected[place] for place in shuffle(collected, 0, 0)]

    def by_place(collected: list[str]) -> list[str]:
        return [collected[place] for place in np.random.default_rng(0).permutation(len(collected))]

    def orders(table: list[tuple[int, int]]) -> float:
        failures, passes = np.array(table).T[:, None]
        return float(order_test(failures, passes).p[0])

    def first_order_twice(table: list[tuple[int, int]]) -> float:
        return orders([table[0], *table])

    return {
        "arrival": System(arrival, runs, twin=iteration_by_place),
        "relabelling": System(relabelling, histories, twin=first_decides, per_item=True),
        "collection": System(collection, ids, twin=by_place),
        "orders": System(orders, counts, twin=first_order_twice),
        "reverse": System(lambda collected: [collected[place] for place in reverse(collected)], ids),
    }

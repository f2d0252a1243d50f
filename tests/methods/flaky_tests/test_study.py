import ast
import hashlib
import json
import os
import tempfile
from dataclasses import asdict, replace
from types import SimpleNamespace

import numpy as np
import pytest
from hunts import SMALL, smaller
from official import official

from parataxis.claims import Figure, Measurement, Table
from parataxis.files import read_json_lines
from parataxis.methods.flaky_tests import (
    chance,
    stages,
    study_chance,
    study_cleaners,
    study_environments,
    study_projects,
    study_published,
)
from parataxis.methods.flaky_tests.classes import Kind, classify
from parataxis.methods.flaky_tests.diagnosis import Chain, Dependence, Diagnosis
from parataxis.methods.flaky_tests.projects import Project
from parataxis.methods.flaky_tests.session import Session
from parataxis.methods.flaky_tests.stages import Failed
from parataxis.methods.flaky_tests.study import RUN_SUITES, study, systems, toy
from parataxis.methods.flaky_tests.study_inputs import (
    MADE,
    PLANTED,
    Dependent,
    Listed,
    load,
    made_ids,
    made_projects,
    made_runs,
    read_listed,
    suites_in,
)
from parataxis.methods.flaky_tests.suite import find_suite
from parataxis.studies.context import Context
from parataxis.studies.registry import methods

SHUFFLES = 8


def generator(*names):
    return np.random.default_rng(list(hashlib.sha256(repr(names).encode()).digest()))


def differing(symmetry, system, items):
    """The share of some shuffles of the items in which the outcome differs, as a measurement."""
    share = np.mean([differs(system.run, items, system.per_item, place) for place in range(SHUFFLES)])
    return Measurement(symmetry, float(share), float(share), float(share), SHUFFLES)


def differs(run, items, per_item, place):
    order = np.random.default_rng(place).permutation(len(items))
    base, shuffled = run(list(items)), run([items[i] for i in order])
    return shuffled != ([base[i] for i in order] if per_item else base)


RUN = [claim for each in RUN_SUITES for claim in each.CLAIMS]  # by running suites, which takes its time
SYMMETRIES = ["arrival", "relabelling", "collection", "orders", "reverse"]


@pytest.fixture(scope="module")
def context(tmp_path_factory):
    """What the study asks of its context: a scale, randomness by name, the data sets, an audit, a work folder."""

    def of(scale, kept=()):
        return SimpleNamespace(
            scale=scale,
            rng=generator,
            data=official,
            audit=differing,
            jobs=1,
            work=tmp_path_factory.mktemp("work"),
            done=lambda claim: claim in kept,
            progress=lambda items, label: items,
        )

    return of


@pytest.fixture(scope="module")
def found(context):
    """Of the published data; what suites are run for counts as measured before. Intervals from a tenth of the draws."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(study_published, "DRAWS", 200)
        return list(study(context("quick", kept=RUN)))


@pytest.fixture(scope="module")
def made(context):
    with smaller(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(study_published, "DRAWS", 200)
        return list(study(context("toy")))


def by_id(found):
    return {each.id: each for each in found if isinstance(each, Measurement)}


@pytest.fixture(scope="module")
def measured(found):
    return by_id(found)


# Value, and the null's value (None where no rule is applied), on the whole published data sets.
FIGURES = {
    "classes": (1.0, 87 / 112),
    "order-dependence-share": (1116 / 1501, None),
    "victims-to-brittles": (750 / 312, 1.0),
    "shuffles-for-95-percent": (23, 6),
    "found-in-31-shuffles": (0.9660497, 0.99999997),
    "shuffles-elsewhere": (23, None),
    "found-in-ten-reruns": (0.1067802, 0.8989977),
    "found-in-170-reruns": (0.5215506, None),
    "order-matters-decisions": (1.0, 0.575),
    "order-matters-p-values": (98 / 101, 0.35),
    "order-matters-exactly": (49 / 70, None),
}


@pytest.mark.parametrize("claim", FIGURES)
def test_figures_on_the_published_data(measured, claim):
    value, null = FIGURES[claim]
    assert measured[claim].value == pytest.approx(value, rel=1e-6)
    if null is None:
        assert measured[claim].null is None
    else:
        shuffled = claim.startswith("order-matters")  # the mean of some shuffles
        assert measured[claim].null == pytest.approx(null, rel=0.05 if shuffled else 1e-6)
    assert measured[claim].real


def test_intervals_between_projects_are_wider_than_a_point(measured):
    drawn = ("order-dependence-share", "shuffles-elsewhere", "found-in-ten-reruns")
    for claim in (*drawn, "victims-to-brittles"):
        assert measured[claim].low < measured[claim].value < measured[claim].high
    assert measured["victims-to-brittles"].low > 1
    assert measured["found-in-ten-reruns"].high < 0.33


def test_every_figure_comes_once(found, made):
    assert list(by_id(found)) == [*FIGURES, *SYMMETRIES]
    assert list(by_id(made)) == [*FIGURES, *RUN, *SYMMETRIES]
    for first, shown in (
        (found, ["reruns", "rerun-curve"]),
        (made, ["reruns", "rerun-curve", "causes", "projects", "culprits"]),
    ):
        assert [each.name for each in first if isinstance(each, Table | Figure)] == shown
        assert len(first) == len(by_id(first)) + len(shown)


def test_what_is_made_is_not_called_real(measured, made):
    assert not any(each.real for each in by_id(made).values())
    assert not measured["arrival"].real


def test_the_table_of_reruns(found):
    table = next(each for each in found if isinstance(each, Table))
    assert [row[1:] for row in table.rows] == [[155, 23, 18.9, 5.0], [101, 4038, 2554.1, 748.0]]


def test_the_symmetries_hold_and_their_twins_break_them(measured):
    for symmetry, system in systems(toy(generator("toy"))).items():
        if symmetry == "reverse":
            assert measured[symmetry].value == 1
            continue
        assert measured[symmetry].value == 0
        assert any(differs(system.twin, system.items, system.per_item, place) for place in range(SHUFFLES)), symmetry


def test_the_planted_classes_are_recovered():
    assert classify(made_runs(), len(PLANTED), "paper") == [kind for kind, _ in PLANTED]
    assert {kind for kind, _ in PLANTED} == set(Kind)


def test_made_shuffles_are_permutations():
    assert all(sorted(run.order) == list(range(len(made_ids()))) for run in made_runs())
    assert len({run.order for run in made_runs()}) == 7  # file order, and six shuffles


def test_the_toy_has_what_the_data_has(context):
    made, real = toy(generator("toy")), load(context("quick"))
    assert made.rows[0].keys() >= {*real.published[0]} & real.rows[0].keys()
    assert all(
        getattr(made, name) for name in ("rows", "published", "python_tests", "dependences", "projects", "ids", "runs")
    )
    assert made.rates.less.any()
    assert not made.rates.less.all()


# -- what suites are run for ---------------------------------------------------------------------------------------


def test_suites_are_copies_and_nothing_of_them_stays(tmp_path, monkeypatch):
    monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", raising=False)
    outside = tempfile.gettempdir()
    with suites_in(tmp_path, "shop") as folder:
        assert {path.name for path in folder.iterdir()} >= {"pytest.ini", "test_prices.py"}
        assert tempfile.gettempdir().startswith(str(tmp_path))
        assert os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] == "1"
    assert tempfile.gettempdir() == outside
    assert "PYTEST_DISABLE_PLUGIN_AUTOLOAD" not in os.environ
    assert list(tmp_path.iterdir()) == []


def test_held_out_tests_are_no_tuned_ones():
    truth = json.loads((MADE / "chance" / "truth.json").read_text())
    assert {*study_chance.TUNED, study_chance.HELD_OUT} == set(truth)
    assert study_chance.HELD_OUT not in study_chance.TUNED
    assert set(study_chance.QUICK_HELD_OUT) <= set(truth[study_chance.HELD_OUT])
    for suite, test in study_chance.QUICK_TUNED.items():
        assert any(f"def {test}(" in path.read_text() for path in (MADE / "chance" / suite).glob("test_*.py"))


def test_what_a_test_was_told_is_asked_for_once(forks, tmp_path, monkeypatch):
    """A run that was cut off: three of the four held-out tests of the quick scale are in its log, one is not."""
    monkeypatch.setattr(chance, "EXPERIMENTS", ())  # they take half a minute
    monkeypatch.setattr(chance, "MOST", 12)
    ctx = Context(methods()["flaky-tests"].paper, "quick", 0, tmp_path)
    left, *known = study_chance.QUICK_HELD_OUT
    with (
        suites_in(tmp_path, "chance") as folder,
        Session(find_suite([folder / "held_out"]), 0, seed=0) as session,
    ):
        ids = {nodeid.partition("::")[2]: nodeid for nodeid in session.collected().ids}
    told = [study_chance.Told(test, "time", "time") for test in known]
    rows = [{"suite": "held_out", "nodeid": ids[each.test], "told": asdict(each)} for each in told]
    (tmp_path / "causes.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    first = study_chance._told(ctx, held_out=True)
    assert first[:3] == told
    assert [each.test for each in first[3:]] == [left]
    rows = list(read_json_lines(tmp_path / "causes.jsonl"))
    assert [row["nodeid"] for row in rows[3:]] == [ids[left]]
    assert study_chance._told(ctx, held_out=True) == first
    assert len(list(read_json_lines(tmp_path / "causes.jsonl"))) == 4


def test_causes_are_counted_and_shuffled(made):
    share = by_id(made)["causes-held-out"]
    assert share.value == pytest.approx(7 / 9)
    assert share.low < share.value < share.high
    assert share.null == pytest.approx((4 * 2 + 2 * 3 + 1 + 1 + 1) / 81)  # by hand: planted times said, over the kinds
    assert share.note == "test_wrong: randomness, not network; test_open: nothing, not network"
    table = next(each for each in made if isinstance(each, Table) and each.name == "causes")
    assert table.rows[0] == ["network", 2, 4, 2, 4]
    assert [sum(column) for column in list(zip(*table.rows, strict=True))[1:]] == [7, 9, 7, 9]
    assert study_chance.shuffled_share(["a", "b"], ["a", "b"]) == 0.5


def test_cleaners_hide_victims_from_shuffles_but_from_no_system(made):
    """The toy's engine runs; cleaners 3, so that a victim fails in one of five shuffles."""
    found = by_id(made)
    assert [found[f"cleaners-{name}"].value for name in ("reverse", "tuscan", "walk")] == [0, 1, 1]
    shuffles = found["cleaners-shuffles"]
    assert shuffles.baseline == pytest.approx(1 - (4 / 5) ** 8)  # by hand: 7 tests are odd, 8 rows
    assert 0 < shuffles.value <= 1
    assert shuffles.null == 1


def test_the_twin_has_the_tests_of_the_real_suite():
    before, after, victims = study_cleaners.WHOLE
    assert (before + after, victims, before + after + victims + 2) == (27, 12, 41)
    named = [
        f.name
        for f in ast.parse(study_cleaners.TWIN.format(before=14, after=13, victims=12)).body
        if "name" in f._fields
    ]
    assert named == ["test_clean_before", "test_pollute", "test_clean_after", "test_victim", "test_bystander"]


def test_a_probe_counts_for_its_own_test():
    assert study_cleaners.share_probed(["...", ".F.", "..s", ".E."]) == 1 / 3


def test_the_interval_of_a_mean():
    mean, low, high = study_cleaners.mean_interval(np.array([0.4, 0.6]))
    assert (mean, low, high) == (0.5, 0, 1)  # by hand: 12.706 * 0.1
    mean, low, high = study_cleaners.mean_interval(np.array([0.5, 0.6, 0.7]))
    assert (low, high) == pytest.approx((0.6 - 4.30265 * 0.1 / 3**0.5, 0.6 + 4.30265 * 0.1 / 3**0.5))


def test_environments_and_hash_seeds_are_told_apart(context):
    """A real hunt, of as many orders as it takes."""
    with smaller(own_start=True, iterations=2, same=3, shuffles=0):
        infrastructure, chance = study_environments.measure(toy(generator("toy")), context("quick"))
    assert (infrastructure.value, infrastructure.n, infrastructure.null) == (1, 3, pytest.approx(0, abs=0.2))
    assert (chance.value, chance.null) == (1, 0)
    assert chance.n >= 2  # of eight, each with one in two: the study's seed decides


def test_a_made_project_stands_in_for_the_real_ones(context, forks, warm, monkeypatch):
    """A real hunt, with explanations."""
    monkeypatch.setattr(stages, "HUNT", SMALL + stages.HUNT)
    with smaller():
        projects, culprits, found, false, _, share, only = study_projects.measure(
            toy(generator("toy")), context("quick")
        )
    assert projects.rows == [["shop", 8, 2, 2, 0]]
    assert culprits.rows == [["shop", 7, 7, 3, 3, 0, 0, 1]]  # an unsetter is named beside them: nothing is listed of it
    assert (found.value, found.n, found.null, found.real) == (1, 7, 0, False)
    assert (false.value, false.n, false.null, false.real) == (0, 3, 3, False)
    assert (share.value, share.n, share.high) == (1, 2, 1)
    assert share.low == pytest.approx(0.025**0.5)  # Clopper and Pearson's, of 2 of 2
    assert (only.value, only.n, only.null) == (0, 8, 2)
    assert found.note == "a made project in place of the four real ones"
    claims = {each.id: each for each in methods()["flaky-tests"].paper.claims}
    assert [claims[each.id].judge(each).name for each in (found, false, only)] == ["UNDECIDED"] * 3


def test_projects_that_can_not_be_had_are_told(context, monkeypatch):
    """One of two can't be fetched; then neither."""
    names = ["far", "near"]
    near = study_projects.recorded(made_projects()[0])
    listed = [Listed(Project(name, version="1"), near.listed.tests) for name in names]
    inputs = replace(toy(generator("toy")), projects=listed)

    def hunted(listed, ctx):
        if listed.project.name in names:
            raise Failed(f"fetch: no {listed.project.name}")
        return study_projects.recorded(listed)

    monkeypatch.setattr(study_projects, "_hunted", hunted)
    _, _, found, *_, only = study_projects.measure(inputs, context("full"))
    assert (
        found.note
        == only.note
        == "far: fetch: no far; near: fetch: no near; a made project in place of the four real ones"
    )
    assert not found.real
    names.remove("near")
    table, _, found, *_ = study_projects.measure(inputs, context("full"))
    assert (found.note, found.real, len(table.rows)) == ("far: fetch: no far", True, 1)


def test_what_is_not_found_or_not_known_counts():
    (listed,) = made_projects()
    victim = next(iter(listed.tests))
    other = "test_stock.py::test_bystander"
    all_told = study_projects.recorded(listed)
    culprits = sorted(listed.tests[victim].culprits)
    said = {victim: Dependent("brittle", frozenset(culprits[:1])), other: Dependent("victim", frozenset())}
    half = replace(all_told, said=said)
    assert half.found(listed.tests) == 1  # of seven: a culprit, not its kind, its cleaners, the other, the brittle
    assert half.others(listed.tests) == [other]


@pytest.mark.parametrize("proved", [False, True])
def test_a_hundred_false_culprits_are_not_clean(context, monkeypatch, proved):
    """Beside all that is listed: single tests and pairs, of listed tests and of others."""
    more = [f"test_more.py::test_{place}" for place in range(50)]
    told = {("test_stock.py::test_bystander", name) for name in more} | {(name,) for name in more}

    def accusing(listed, ctx):
        hunted = study_projects.recorded(listed)
        first, *rest = hunted.said.items()
        name, one = first
        accused = replace(one, culprits=one.culprits | told, proved=one.proved | (told if proved else set()))
        return replace(
            hunted,
            ids=[*hunted.ids, *more],
            kinds=[*hunted.kinds, *[Kind.NOD] * 50],
            said={name: accused, **dict(rest)},
        )

    monkeypatch.setattr(study_projects, "_hunted", accusing)
    _, culprits, found, false, _, share, _ = study_projects.measure(toy(generator("toy")), context("quick"))
    assert found.value == 1
    assert false.value == (0 if proved else 100)
    assert false.n == 103
    assert culprits.rows == [["shop", 7, 7, 103, 103 if proved else 3, 100, 0 if proved else 100, 0]]
    claim = next(each for each in methods()["flaky-tests"].paper.claims if each.id == false.id)
    assert claim.judge(false).name == ("HOLDS" if proved else "FAILS")
    assert (share.value, share.n) == (2 / 52, 52)


def test_cleaners_count_where_they_are_listed(context, monkeypatch):
    """One not named is missing, one beside it is false, none sought is not none; what is not listed is open."""
    (listed,) = made_projects()
    victim, brittle = listed.tests
    switch, travel = sorted(listed.tests[victim].culprits)
    (setter,) = listed.tests[brittle].culprits
    reset, other = "test_prices.py::test_reset", "test_stock.py::test_bystander"

    def told(cleaners):
        hunted = study_projects.recorded(listed)
        said = {test: replace(each, cleaners=cleaners.get(test, {})) for test, each in hunted.said.items()}
        monkeypatch.setattr(study_projects, "_hunted", lambda listed, ctx: replace(hunted, said=said))
        _, culprits, found, false, *_ = study_projects.measure(toy(generator("toy")), context("quick"))
        return round(found.value * found.n), false.value, culprits.rows[0][-1]

    right = frozenset({reset})
    assert told({victim: {switch: right, travel: right}}) == (7, 0, 0)
    assert told({victim: {switch: right, travel: frozenset()}}) == (6, 0, 0)
    assert told({victim: {switch: right, travel: right | {other}}}) == (6, 1, 0)
    assert told({}) == (5, 0, 0)
    assert told({victim: {switch: right, travel: right}, brittle: {setter: right}}) == (7, 0, 1)
    with_none = replace(listed.tests[victim], cleaners={switch: frozenset(), travel: right})
    assert len(study_projects.beside({victim: listed.tests[victim]}, {victim: with_none})) == 1


def test_hunts_that_find_nothing_decide_nothing(context, monkeypatch):
    def blind(listed, ctx):
        hunted = study_projects.recorded(listed)
        return replace(hunted, kinds=[Kind.NOT_FLAKY] * len(hunted.ids), said={})

    monkeypatch.setattr(study_projects, "_hunted", blind)
    _, _, found, false, _, share, only = study_projects.measure(toy(generator("toy")), context("quick"))
    assert (found.value, share.value, share.low, share.n) == (0, 0, 0, 1)
    claims = {each.id: each for each in methods()["flaky-tests"].paper.claims}
    assert [claims[each.id].judge(each).name for each in (false, only)] == ["UNDECIDED"] * 2


def test_what_a_diagnosis_says():
    def said(kind, cold, *chains):
        return study_projects.said_of(Diagnosis("a", kind, "", cold, chains=chains))

    looked = Chain(("b", "d"), cold="F", undone_by=("e", "f"), tried=9)
    alike, unlooked, clean = Chain(("c",), cold=".", tried=9), Chain(("d",)), Chain(("e",), cold="E", tried=9)
    victim = said(Dependence.VICTIM, ".", looked, alike, unlooked, clean)
    assert (victim.kind, victim.culprits) == ("victim", {("b", "d"), ("c",), ("d",), ("e",)})
    assert victim.cleaners == {("b", "d"): {*"ef"}, ("c",): set(), ("e",): set()}
    assert victim.proved == {("b", "d"), ("e",)}
    assert said(Dependence.VICTIM, "F", looked).proved == set()  # it fails alone as well
    assert said(Dependence.VICTIM, "s", looked).proved == set()
    assert said(Dependence.BRITTLE, "F", alike, looked, unlooked).proved == {("c",)}
    assert said(Dependence.UNKNOWN, "") == Dependent("UNKNOWN", frozenset())


def test_the_real_list_is_read():
    listed = read_listed(official("real-projects.json"))
    assert [f"{each.project.name} {each.project.version}" for each in listed] == [
        *("arrow 1.4.0", "logzero 1.5.0"),
        *("mccabe 0.6.1", "base10 0.6.3"),
    ]
    assert all(len(each.project.sha256) == 64 and each.project.install for each in listed)
    tests = [test for each in listed for test in each.tests.values()]
    assert [test.kind for test in tests].count("victim") == 7
    assert (len(tests), sum(len(test.culprits) for test in tests)) == (9, 25)
    assert [names for test in tests for names in test.cleaners.values()] == [frozenset()] * 6


def test_the_ratio_among_the_real_ones_is_as_listed(context, monkeypatch):
    monkeypatch.setattr(study_projects, "_hunted", lambda listed, ctx: study_projects.recorded(listed))
    inputs = replace(toy(generator("toy")), projects=read_listed(official("real-projects.json")))
    _, _, found, false, ratio, share, _ = study_projects.measure(inputs, context("full"))
    assert (ratio.value, ratio.n, ratio.real) == (7 / 2, 9, True)
    assert ratio.low < ratio.value < ratio.high
    assert (share.value, share.n, share.real) == (1, 9, True)
    claims = {each.id: each for each in methods()["flaky-tests"].paper.claims}
    assert [claims[each.id].min_n for each in (found, false)] == [found.n, false.n] == [40, 25]
    assert [claims[each.id].judge(each).name for each in (found, false, share)] == ["HOLDS", "HOLDS", "REPORTED"]

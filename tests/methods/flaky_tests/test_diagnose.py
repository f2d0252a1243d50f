"""Who did it, in real processes, over the planted suites of suites/cases.py."""

import shlex
import subprocess
from dataclasses import replace

import pytest
from hunts import SOME_CLEANERS, copy_suites, leaves_elsewhere, open_lab, smaller

from parataxis.errors import BadInput
from parataxis.methods.flaky_tests.by_chance import by_chance
from parataxis.methods.flaky_tests.cli_diagnosis import _place
from parataxis.methods.flaky_tests.diagnose import Case, bisect, diagnose
from parataxis.methods.flaky_tests.diagnosis import Chain, Dependence, Diagnosis
from parataxis.methods.flaky_tests.explaining import explain
from parataxis.methods.flaky_tests.explanation import explanation
from parataxis.methods.flaky_tests.fixes import fix
from parataxis.methods.flaky_tests.hunting import hunt
from parataxis.methods.flaky_tests.lab import Lab
from parataxis.methods.flaky_tests.nearest import nearest_culprit
from parataxis.methods.flaky_tests.outcomes import Run
from parataxis.methods.flaky_tests.report import Report
from parataxis.methods.flaky_tests.session import Limits, Order
from parataxis.methods.flaky_tests.survey import laboratory

pytestmark = pytest.mark.usefixtures("forks")


def found_in(lab, test, runs=()):
    place = next(place for place, nodeid in enumerate(lab.head.ids) if nodeid.endswith(test))
    (found,) = diagnose(lab, [place], runs)
    return found


def short(names):
    return [name.rpartition("::")[2] for name in names]


def test_a_victim_has_its_polluter_its_cleaner_and_a_proof(lab):
    lab = lab("victim_and_polluter")
    found = found_in(lab, "::test_price")
    assert (found.kind, found.alone, found.cold) == (Dependence.VICTIM, ".", ".")
    (chain,) = found.chains
    assert short(chain.tests) == ["test_switch"]
    assert short(chain.undone_by) == ["test_reset"]
    assert (chain.cold, chain.tried) == ("F", 4)
    pattern = "set it with `monkeypatch.setitem`, which puts the old value back"
    assert chain.cause.where == "test_prices.py:11"
    assert fix(found) == f"In test_prices.py::test_switch: {pattern} (`test_prices.SETTINGS['currency']`)."
    done = subprocess.run(shlex.split(chain.command), cwd=lab.head.root, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "1 failed, 1 passed" in done.stdout
    assert "FAILED test_prices.py::test_price" in done.stdout
    assert Diagnosis.from_row(found.to_row()) == found


def test_a_brittle_has_its_setter_and_unsetter(lab, warm):
    found = found_in(lab("brittle_and_setter"), "::test_query")
    assert (found.kind, found.alone) == (Dependence.BRITTLE, "F")
    (chain,) = found.chains
    assert short(chain.tests) == ["test_connect"]
    assert short(chain.undone_by) == ["test_disconnect"]
    assert chain.cold == "."


def joint(lab):
    """The runs of a hunt that has seen the two polluters together, in the right order, among others."""
    names = ["test_bystander", "test_open", "test_other", "test_write", "test_is_sound"]
    places = [lab.head.ids.index(f"test_log.py::{name}") for name in names if f"test_log.py::{name}" in lab.head.ids]
    rest = [place for place in range(len(lab.head.ids)) if place not in places]
    order = (*rest, *places)
    outcomes = ["."] * len(order)
    outcomes[places[-1]] = "F"
    return [Run(0, "random", 0, order, "".join(outcomes))]


def test_joint_polluters_are_reduced_to_the_two_in_their_order(lab, warm):
    lab = lab("joint_polluters")
    found = found_in(lab, "::test_is_sound", joint(lab))
    (chain,) = found.chains
    assert found.kind is Dependence.VICTIM
    assert short(chain.tests) == ["test_open", "test_write"]
    assert "polluter: test_log.py::test_open, then test_log.py::test_write" in explanation(found)


def test_without_an_order_that_shows_it_nothing_is_made_up(lab, warm):
    lab = lab("joint_polluters")
    run = Run(0, "random", 0, tuple(range(len(lab.head.ids))), "." * len(lab.head.ids))
    found = found_in(lab, "::test_is_sound", [run])
    assert (found.kind, found.chains) == (Dependence.UNKNOWN, ())
    assert "none of 5 tests does it by itself, and no order that showed it could be reduced" in explanation(found)


def test_without_a_hunt_file_order_and_its_reverse_are_walked(lab, warm):
    lab = lab("joint_polluters")
    (chain,) = found_in(lab, "::test_is_sound").chains
    assert short(chain.tests) == ["test_open", "test_write"]
    assert found_in(lab, "::test_write").kind is Dependence.UNKNOWN


JOINT_BEFORE_A_CLEANER = """STATE = set()
def test_one(): STATE.add(1)
def test_two(): STATE.add(2)
def test_clean(): STATE.clear()
def test_victim(): assert STATE != {1, 2}
"""


def test_a_walk_shows_joint_polluters_that_a_cleaner_hides_from_the_test(written, warm):
    with laboratory([written(test_a=JOINT_BEFORE_A_CLEANER).root], timeout=60.0) as lab:
        (chain,) = found_in(lab, "::test_victim").chains
    assert short(chain.tests) == ["test_one", "test_two"]
    assert short(chain.undone_by) == ["test_clean"]


def test_where_nothing_can_be_forked_a_walk_is_one_order(lab, warm):
    lab = lab("joint_polluters")
    lab.head = replace(lab.head, forks=False)
    victim = next(place for place, nodeid in enumerate(lab.head.ids) if nodeid.endswith("::test_is_sound"))
    assert lab.walk(tuple(place for place in range(5) if place != victim)[::-1], victim) == "----F"


BY_CHANCE = """import os
LEFT = []
def ends(now):
    with open({count!r}, "a") as stream:
        stream.write(".")
    assert not now or os.path.getsize({count!r}) % 2
def test_one(): LEFT.append(1)
def test_two(): LEFT.append(2)
def test_three(): LEFT.append(3)
def test_alone(): ends(True)
def test_behind(): ends(LEFT)
"""


def test_nobody_is_blamed_for_a_failure_by_chance(written, warm, tmp_path):
    """One that fails every second time; and one that does so after others alone."""
    suite = written(test_a=BY_CHANCE.format(count=str(tmp_path / "count")))
    with laboratory([suite.root], timeout=60.0) as lab:
        alone, behind = found_in(lab, "::test_alone"), found_in(lab, "::test_behind")
        assert nearest_culprit(lab, 3).kind is Dependence.CHANCE
    assert {alone.kind, behind.kind} == {Dependence.CHANCE}
    assert alone.chains == behind.chains == ()
    assert alone.notes[0] in ("alone it ends .F. in 3 runs", "alone it ends F.F in 3 runs")
    assert behind.notes[0].startswith("after test_a.py::test_")
    assert behind.notes[0].endswith("it passes and fails")


BY_ORDER_AND_CHANCE = """import os
SEEN, LEFT = [], []
def test_total(): assert not LEFT
def test_half(): SEEN.append("half")
def test_open(): SEEN.append("open")
def test_load():
    if "open" in SEEN or "half" in SEEN and os.urandom(1)[0] < 128:
        LEFT.append(1)
"""


def test_one_that_fails_by_chance_in_one_order_and_always_in_another_has_its_culprits(written, warm):
    """Neither file order nor its reverse shows that the order matters; orders of the hunt do."""
    total, half, opened, load = range(4)
    runs = [
        Run(0, "random", 0, (half, load, total, opened), "F..."),
        Run(0, "replay", 0, (half, load, total), "..-.", of="random/0"),
        Run(0, "random", 1, (opened, load, total, half), "F..."),
        Run(0, "reverse", 0, (load, opened, half, total), "...."),
    ]
    with laboratory([written(test_a=BY_ORDER_AND_CHANCE).root], timeout=60.0) as lab:
        (found,) = by_chance(lab, [total], runs)
        (unknown,) = by_chance(lab, [total])
    (chain,) = found.chains
    assert (found.kind, chain.cold) == (Dependence.VICTIM, "F")
    assert short(chain.tests) == ["test_open", "test_load"]
    rates = "0 of 20 alone, 0 of 20 in reverse, 20 of 20 in random/1"
    assert found.notes[0].startswith(f"its failure rate depends on the order (NDOD): fails {rates}, p = ")
    assert (unknown.kind, unknown.chains) == (Dependence.CHANCE, ())
    assert unknown.notes == (
        "in one interpreter it ends alike each time, whatever the order: fails 0 of 20 alone, 0 of 20 in reverse",
    )


def test_every_polluter_is_run_in_a_fresh_interpreter(written, warm):
    polluters = "".join(f"def test_{name}(): LEFT.append(1)\n" for name in "abcdef")
    suite = written(test_a=f"LEFT = []\n{polluters}def test_victim(): assert not LEFT\n")
    with laboratory([suite.root], timeout=60.0, jobs=2) as lab:
        found = found_in(lab, "::test_victim")
    assert [chain.cold for chain in found.chains] == ["F"] * 6
    assert found.notes == ("cleaners and changes were looked for with the first 5 of 6",)


SHARED = """import pytest
OPEN = []
@pytest.fixture(scope="module")
def connection():
    OPEN.append("connection")
    yield
    OPEN.remove("connection")
@pytest.fixture(scope="module")
def basket(connection):
    assert OPEN == ["connection"]
    return []
@pytest.fixture
def own(): return []
def test_empty(basket): assert not basket
def test_add(basket, own, tmp_path_factory):
    basket.append(1)
    own.append(1)
def test_sum(basket): assert sum(basket) == 1
def test_connected(connection): pass
"""


def test_a_shared_fixture_that_is_not_as_it_was_set_up_is_what_a_culprit_leaves(written, warm):
    """Undone, it is torn down, with what is built on it: `basket` is there anew with its connection."""
    suite = written(test_a=SHARED, test_b="def test_elsewhere(): pass\n")
    with laboratory([suite.root], timeout=60.0) as lab:
        victim, brittle = found_in(lab, "::test_empty"), found_in(lab, "::test_sum")
    for found, word in ((victim, "passes"), (brittle, "fails")):
        (chain,) = found.chains
        assert short(chain.tests) == ["test_add"]
        assert short(chain.undone_by) == ["test_elsewhere"]
        told = {change.name: change for change in chain.changes}
        assert {*told} == {"fixture test_a.py::basket", "fixture test_a.py::connection", "test_a.OPEN"}
        assert chain.cause is told["fixture test_a.py::basket"]
        basket = told["fixture test_a.py::basket"]
        assert (basket.shown, basket.after, basket.where) == (True, "[1], kept for the module", "test_a.py:8")
        assert told["fixture test_a.py::connection"].shown
        assert f"with this undone, it {word} again" in " ".join(explanation(found))
    assert fix(victim).startswith(
        "In test_a.py::test_add: put back what it changes of the fixture, or give the fixture"
    )
    assert fix(brittle).startswith("In test_a.py::test_sum: set up, in a fixture, what it now owes to test_a.py::test_")


LASTING = """import os, pytest, shutil, tempfile
KEPT = []
@pytest.fixture(scope="session")
def _folder():
    place = tempfile.mkdtemp()
    yield place
    shutil.rmtree(place)
@pytest.fixture(scope="session")
def other(): return object()
@pytest.fixture(scope="session")
def boxes(): return ["session"]
"""
KEEPS = """import os, pytest
KEPT = []
exec("def made(): return 1", made := {"__name__": None})
made = pytest.fixture(made["made"])
@pytest.fixture(scope="module")
def boxes(boxes): return [*boxes, "module"]
def test_keeps(_folder, other): KEPT.append(_folder)
def test_kept(): assert KEPT and os.path.isdir(KEPT[0])
def test_fills(boxes, made): boxes.append("more")
def test_finds(boxes): assert len(boxes) == 2
"""


def test_no_fixture_is_blamed_for_the_teardown_of_another_or_for_what_overrides_it(written, warm):
    """One removes a folder for good, after which every probe ends otherwise; one is built on its namesake."""
    with laboratory([written(conftest=LASTING, test_a=KEEPS).root], timeout=60.0) as lab:
        kept, finds = found_in(lab, "::test_kept"), found_in(lab, "::test_finds")
    shown = [{change.name for change in found.chains[0].changes if change.shown} for found in (kept, finds)]
    assert shown == [{"test_a.KEPT", "fixture _folder"}, {"fixture test_a.py::boxes", "fixture boxes"}]
    assert finds.chains[0].cause.name == "fixture test_a.py::boxes"


HANGS = """import threading
LOCK = threading.Lock()
def test_wait():
    with LOCK: pass
def test_take(): LOCK.acquire()
def test_stranger(): pass
def test_free(): LOCK.release() if LOCK.locked() else None
"""


def test_behind_one_that_hangs_cleaners_are_found(written, warm):
    """As long as a probe is waited for, its order is not taken for one that hangs."""
    with laboratory([written(test_a=HANGS).root], timeout=1.0) as lab:
        assert lab.between((1,), [2, 3], 0) == "T."


def test_a_slow_test_is_given_in_a_probe_what_it_needs(written, warm):
    slow = "import time\ndef test_slow(): time.sleep(0.8)\ndef test_other(): pass\n"
    with laboratory([written(test_a=slow).root], timeout=0.7) as lab:
        case = Case(lab, 0, lab.last([(0,)])[0], "", "", [])
        assert case.settled_alone() is None
        assert case.notes == ["alone it is ended after 0.7 s: --timeout gives it longer"]
        lab.limits = Limits(0.7, {0: 60.0, 1: 60.0}, 60.0)
        assert lab.after([()], [0, 1]) == [".."]
        assert lab.between((1,), [1], 0) == "."


def test_an_explanation_gives_a_slow_test_as_long_as_the_hunt_did(written, monkeypatch, tmp_path):
    suite = written(test_a="def test_slow(): pass\ndef test_other(): pass\n")
    with smaller():
        report = hunt([suite.root], out=tmp_path / "out")
    (same,) = [entry for entry in report.entries if entry.durations]
    same.durations[:] = [30.0, 0.1]
    given = []
    monkeypatch.setattr(Lab, "__init__", lambda self, suite, head, limits, *more: given.append(limits) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        explain(report, tmp_path / "out", ["test_a.py::test_slow"])
    assert [limits.tests for limits in given] == [{0: 300.0}]


def test_an_import_is_found_down_to_the_module(lab):
    found = found_in(lab("import_pollution"), "::test_colour")
    assert (found.kind, found.alone, found.cold) == (Dependence.IMPORT, "F", ".")
    assert found.modules == ("test_uses_helper.py",)
    root = lab("import_pollution").head.root
    done = subprocess.run(shlex.split(found.command), cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "FAILED test_default.py::test_colour" in done.stdout
    said = "proof (it runs first and fails; without the other file it passes): "
    assert explanation(Diagnosis.from_row(found.to_row()))[-1] == said + found.command


GUILTY = {
    "guilty": "import settings\nsettings.MODE = 'fast'\n",
    "settings": "MODE = 'safe'\n",
    "test_a": "import settings\ndef test_safe(): assert settings.MODE == 'safe'\n",
    "test_b": "import guilty\ndef test_b(): pass\n",
    "test_c": "import guilty\ndef test_c(): pass\n",
    "test_d": "import settings\ndef test_set_back(): settings.MODE = 'safe'\n",
    "test_e": "import settings\ndef test_needs(): assert settings.MODE == 'fast'\n",
}


def test_what_an_import_breaks_owes_nothing_to_the_test_that_mends_it(written):
    """All that do the same are named, as the first is no more to blame than they."""
    with laboratory([written(**GUILTY).root], timeout=60.0) as lab:
        found, first = found_in(lab, "::test_safe"), nearest_culprit(lab, 0)
        needs = nearest_culprit(lab, 4)
    notes = (
        "so it does once any of these is imported: test_c.py",
        "what the import did is undone by test_d.py::test_set_back",
    )
    assert (found.kind, found.modules, found.chains, found.notes) == (Dependence.IMPORT, ("test_b.py",), (), notes)
    assert (first.kind, first.modules, first.chains) == (Dependence.IMPORT, ("test_b.py",), ())
    assert not any("proof" in line and "test_set_back" in line for line in explanation(found))
    assert (needs.kind, short(needs.chains[0].tests)) == (Dependence.VICTIM, ["test_set_back"])


def test_a_test_that_needs_an_import_is_told_so_without_a_hunt(written):
    files = {name: text for name, text in GUILTY.items() if name not in ("test_a", "test_d", "test_c")}
    with laboratory([written(**files).root], timeout=60.0) as lab:
        found = nearest_culprit(lab, lab.head.ids.index("test_e.py::test_needs"))
    assert (found.kind, found.alone, found.cold, found.modules) == (Dependence.IMPORT, ".", "F", ("test_b.py",))


def test_a_command_can_name_tests_whose_ids_change(written):
    text = """
        import time, pytest
        STATE = []
        @pytest.mark.parametrize("when", [time.time_ns()])
        def test_reads(when): assert not STATE
        def test_writes(): STATE.append(1)
        """
    with laboratory([written(test_a=text).root], timeout=60.0) as lab:
        found = found_in(lab, lab.head.ids[0])
        assert _place(lab.head, "test_a.py::test_reads[1]") == _place(lab.head, lab.head.ids[0]) == 0
        done = subprocess.run(
            shlex.split(found.chains[0].command), cwd=lab.head.root, capture_output=True, text=True, check=False
        )
    assert "1 failed, 1 passed" in done.stdout
    assert "is another in each process" in found.notes[0]


def test_each_polluter_has_its_fix_and_its_proof(written, warm):
    text = """
        STATE, OTHER = [], {}
        def test_reads(): assert not STATE and not OTHER
        def test_appends(): STATE.append(1)
        def test_sets(): OTHER["x"] = 1
        """
    with laboratory([written(test_a=text).root], timeout=60.0) as lab:
        lines = explanation(found_in(lab, "::test_reads"))
    for word in ("fix: In test_a.py::", "proof ("):
        said = [line for line in lines if line.startswith(word)]
        assert [("test_appends" in line, "test_sets" in line) for line in said] == [(True, False), (False, True)]


def test_how_a_proof_ends_is_told_as_it_is():
    for end, said in ((".", "passes"), ("F", "fails"), ("T", "does not end"), ("C", "ends the process")):
        found = Diagnosis("t", Dependence.VICTIM, ".", ".", chains=(Chain(("p",), "pytest p t", end),))
        assert f"proof (run in a fresh interpreter: it {said}): pytest p t" in explanation(found)


def test_a_skipped_test_is_said_to_be_one(written, warm):
    with laboratory([written(test_a="import pytest\ndef test_a(): pytest.skip()\n").root], timeout=60.0) as lab:
        for found in (found_in(lab, "::test_a"), nearest_culprit(lab, 0)):
            assert (found.kind, found.notes) == (Dependence.UNKNOWN, ("alone it is skipped",))


def test_an_order_that_the_suite_declares_is_told(lab, warm):
    found = found_in(lab("order_markers"), "::test_second")
    assert [short(chain.tests) for chain in found.chains] == [["test_first"]]
    assert "the suite declares the order of these tests by a marker" in found.notes


def test_a_test_that_fails_when_it_is_run_twice(lab, warm):
    found = found_in(lab("not_idempotent"), "::test_once")
    assert (found.kind, found.alone, found.again) == (Dependence.REPEAT, ".", "F")
    (own,) = found.chains
    assert short(own.tests) == ["test_once"]
    assert own.cause.name == "test_once.DONE"
    done = subprocess.run(
        shlex.split(own.command), cwd=lab("not_idempotent").head.root, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout.count(b"1 passed"), done.stdout.count(b"1 failed")) == (1, 1, 1)


REPEATED = """
import unittest
import pytest

@pytest.fixture(scope="{scope}")
def basket(): return []

class TestShop:
    def test_first_in(self, basket):
        assert not basket
        basket.append("apple")

class TestOld(unittest.TestCase):
    count = 0

    def test_once(self):
        TestOld.count += 1
        assert self.count == 1

def test_sound(): pass
"""


@pytest.mark.parametrize("scope", ["class", "module", "session"])
def test_the_proof_repeats_a_test_within_its_fixtures(written, warm, scope):
    with laboratory([written(test_a=REPEATED.format(scope=scope)).root], timeout=60.0) as lab:
        found = [found_in(lab, f"::{name}") for name in ("test_first_in", "test_once")]
        suite = lab.suite
    assert [each.kind for each in found] == [Dependence.REPEAT] * 2
    commands = [*(each.chains[0].command for each in found), suite.command_twice("test_a.py::test_sound")]
    done = [subprocess.run(shlex.split(c), cwd=suite.root, capture_output=True, text=True) for c in commands]
    assert [each.stdout.count("1 failed, 1 passed") for each in done] == [1, 1, 0]
    assert [each.returncode for each in done] == [1, 1, 0], done[2].stdout
    assert "2 passed" in done[2].stdout


def test_tests_that_can_not_be_repeated_are_found_among_those_that_pass(tmp_path):
    with smaller():
        report = explain(hunt([copy_suites(tmp_path, "not_idempotent")], out=tmp_path / "out"), tmp_path / "out")
    assert (report.flaky, [each.nodeid for each in report.repeating]) == ([], ["test_once.py::test_once"])
    assert report.counts()["non-idempotent"] == 1
    for form in (str(report), report.to_html(), report.to_json()["diagnoses"][0]["kind"]):
        assert any(word in form for word in ("run again in the same process", "REPEAT"))
    assert Report.read(tmp_path / "out").repeating == report.repeating


def test_a_crash_has_its_polluter(lab, warm):
    (chain,) = found_in(lab("crashes_in_order"), "::test_read").chains
    assert short(chain.tests) == ["test_free"]


def test_a_proof_runs_in_one_process_though_the_suite_asks_for_more(written, warm):
    pytest.importorskip("xdist")
    suite = written(test_a="STATE = []\ndef test_reads(): assert not STATE\ndef test_writes(): STATE.append(1)\n")
    (suite.root / "pytest.ini").write_text("[pytest]\naddopts = -p xdist.plugin -n 2\n")
    with laboratory([suite.root], timeout=60.0) as lab:
        (chain,) = found_in(lab, "::test_reads").chains
    done = subprocess.run(shlex.split(chain.command), cwd=suite.root, capture_output=True, text=True, check=False)
    assert "1 failed, 1 passed" in done.stdout


def test_after_its_polluter_a_test_hangs(lab):
    wait, take, bystander = range(3)
    lab = lab("hangs_in_order")
    lab.limits = Limits(0.5, {take: 60.0, bystander: 60.0}, 60.0)
    assert lab.after([(take,), (bystander,)], [wait]) == ["T", "."]


def test_a_runner_breaker_is_named_as_one(lab, warm):
    found = found_in(lab("breaks_runner"), "::test_before")
    assert short(found.chains[0].tests) == ["test_break"]
    assert any("runner-breaker" in note for note in found.notes)


def test_files_are_part_of_the_state(lab, warm):
    found = found_in(lab("leaves_files"), "::test_none_here")
    assert [short(chain.tests) for chain in found.chains] == [["test_write_here"]]


def test_what_no_fresh_interpreter_shows_is_told(tmp_path):
    """A folder made at import, where nothing is put back: after test_write, whoever is tried seems to do it."""
    with open_lab(leaves_elsewhere(tmp_path), ()) as lab:
        found = found_in(lab, "::test_empty")
    assert [short(chain.tests) for chain in found.chains] == [["test_write"], ["test_innocent"]]
    (note,) = [note for note in found.notes if "ends as alone" in note]
    assert "after test_left.py::test_innocent: with the whole suite collected it does so as well" in note


def test_one_walk_shows_every_victim_between_its_polluter_and_the_next_cleaner(lab):
    lab = lab("many_cleaners", *SOME_CLEANERS)
    (done,) = lab.run([Order("lab", 0, tuple(range(7)), probes=((5,), (6,)), each=True)])
    assert done.probed == [end * 2 for end in "...F...."]


def test_of_many_victims_the_later_ones_share_what_was_found_for_the_first(lab, warm, monkeypatch):
    """Where all pairs are too many: the second of two victims, and a third that the order of a hunt explains."""
    lab = lab("many_cleaners", *SOME_CLEANERS)
    monkeypatch.setattr("parataxis.methods.flaky_tests.diagnose.PAIRS", 7)
    first, second = diagnose(lab, [5, 6], [])
    assert short(first.chains[0].tests) == short(second.chains[0].tests) == ["test_pollute"]
    cleaners = [f"test_clean_{where}[{n}]" for where in ("before", "after") for n in (0, 1)]
    assert short(first.chains[0].undone_by) == short(second.chains[0].undone_by) == cleaners
    assert (first.chains[0].tried, second.chains[0].tried) == (5, 4)
    assert (first.searched, second.searched) == (7, 1)
    assert second.notes == (
        "culprits were sought among 1, what undoes them among 4 that matter to other tests; "
        "`tests polluters` tries all",
    )
    assert second.forks < 20
    (again,) = diagnose(lab, [6], [], known=[first])  # after a kill, say
    assert (again.chains, again.searched) == (second.chains, 1)
    run = Run(0, "shuffle", 0, (2, 5, 0, 1, 3, 4, 6), ".....F.")
    sound, victim, other = diagnose(lab, [0, 5, 6], [run])  # the first has no culprit to share
    assert sound.chains == ()
    assert short(victim.chains[0].tests) == short(other.chains[0].tests) == ["test_pollute"]


def test_bisect_takes_an_order_from_elsewhere(lab, warm):
    lab = lab("joint_polluters")
    names = {nodeid.rpartition("::")[2]: place for place, nodeid in enumerate(lab.head.ids)}
    victim = names["test_is_sound"]
    order = [place for place in range(len(names)) if place != victim] + [victim]
    order.sort(key=lambda place: (place == victim, place == names["test_write"]))
    found = bisect(lab, victim, order)
    assert short(found.chains[0].tests) == ["test_open", "test_write"]
    assert not any("run twice" in line for line in explanation(found)), "which was not tried"
    backwards = [names["test_write"], names["test_open"], victim]
    nothing = bisect(lab, victim, backwards)
    assert nothing.kind is Dependence.UNKNOWN
    assert nothing.notes == ("after these 2 tests it ends ... in 3 runs, alone .",)
    with pytest.raises(BadInput, match="is not in the failing order"):
        bisect(lab, victim, order[:-1])


def test_explanations_are_kept_and_not_sought_again(tmp_path, warm):
    folder, out = copy_suites(tmp_path / "suite", "victim_and_polluter"), tmp_path / "out"
    with smaller(shuffles=0):
        report = explain(hunt([folder], out=out), out)
    assert list(report.diagnoses) == ["test_prices.py::test_price"]
    told: list[str] = []
    again = explain(report, out, tell=told.append)
    assert told == []
    assert again.diagnoses == report.diagnoses
    text = str(again)
    assert "    polluter: test_prices.py::test_switch" in text
    assert "    proof (run in a fresh interpreter: it fails): " in text
    paths = {path.name for path in report.write(out)}
    assert paths == {"report.json", "report.html", "report.md", "junit.xml"}
    assert "- polluter: test_prices.py::test_switch" in (out / "report.md").read_text()
    with pytest.raises(BadInput, match=r"NODEID='nothing'"):
        explain(report, out, ["nothing"])


def test_a_test_that_kills_the_session_takes_no_other_along(tmp_path):
    """With two orders under way, the other of them has not crashed."""
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_killer.py").write_text(
        "import os, signal, time\n"
        "def test_one(): pass\n"
        "def test_slow():\n    time.sleep(0.4)\n"
        "def test_kill():\n    os.kill(os.getppid(), signal.SIGKILL)\n"
    )
    with laboratory([tmp_path], timeout=60.0, jobs=2) as two:
        assert two.last([(1,), (2,), (0,), (0,)]) == [".", "C", ".", "."]

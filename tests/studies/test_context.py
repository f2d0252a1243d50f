import re
import subprocess
import sys

import pytest

from parataxis.claims import System
from parataxis.errors import BadInput
from parataxis.studies.context import Context, _places
from parataxis.studies.registry import methods
from planted import NUMBERS


@pytest.fixture
def make(planted, tmp_path):
    paper = methods([planted])["planted-gap"].paper
    return lambda seed=0, **more: Context(paper, "quick", seed, tmp_path, **more)


def test_a_stream_depends_on_its_names_alone(make):
    first = make().rng("split", 3).random(4).tolist()
    other = make()
    other.rng("split", 2).random(100)
    other.rng("else")
    assert other.rng("split", 3).random(4).tolist() == first
    assert other.drawn == {"split/2", "else", "split/3"}
    draws = [make().rng(*names).random() for names in (("split", 3), ("split", "3"), ("split3",), (3, "split"), ())]
    assert len(set(draws)) == 5
    assert make(seed=1).rng("split", 3).random(4).tolist() != first


def test_a_stream_is_the_same_in_another_process_and_release(make, planted):
    code = (
        "import sys; from pathlib import Path; from parataxis.studies.context import Context\n"
        "from parataxis.studies.registry import methods\n"
        "paper = methods([sys.argv[1]])['planted-gap'].paper\n"
        "print(Context(paper, 'quick', 0, Path('.')).rng('split', 3).integers(10**9))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(planted)], capture_output=True, text=True, check=True)
    assert int(done.stdout) == make().rng("split", 3).integers(10**9) == 284971606  # evidence depends on this number


def test_data_is_found_and_its_hash_is_kept(make, tmp_path, monkeypatch):
    monkeypatch.setenv("PARATAXIS_DATA", str(tmp_path))
    (tmp_path / "planted-gap").mkdir()
    (tmp_path / "planted-gap" / "numbers.txt").write_text(NUMBERS)
    ctx = make()
    assert ctx.used == {}
    assert ctx.data("numbers.txt").read_text() == NUMBERS
    assert ctx.used == {"numbers.txt": ctx.paper.data[0].sha256}
    with pytest.raises(BadInput, match=r"'other.txt' is not in paper.toml; there: numbers.txt"):
        ctx.data("other.txt")


def test_progress_tells_how_far_it_is(make):
    told = []
    assert list(make(tell=told.append).progress(range(5), "folds")) == [0, 1, 2, 3, 4]
    assert told == ["folds 0/5"]  # the next word half a second later
    assert list(make(tell=told.append).progress(iter("ab"), "steps")) == ["a", "b"]
    assert told[1:] == ["steps 0"]
    assert list(make(tell=told.append).progress(iter("ab"), "steps", total=2)) == ["a", "b"]
    assert told[2:] == ["steps 0/2"]


def test_done_names_what_is_kept(make):
    ctx = make(kept=frozenset({"gap"}))
    assert ctx.done("gap")
    assert not ctx.done("spread")


def test_an_audit_becomes_a_measurement(make):
    numbers = [0.5, -1.0, 2.0, 0.25, 3.5, 7.0]
    held = make().audit("any-order", System(sum, numbers))
    assert (held.id, held.value, held.low, held.verdict) == ("any-order", 0.0, 0.0, "invariant")
    assert 0 < held.high < 1
    assert held.n > 1
    broken = make().audit("any-order", System(lambda some: some[0], numbers))
    assert broken.verdict == "order-dependent"
    assert broken.low > held.high
    each = make().audit("own-score", System(lambda some: [2 * x for x in some], numbers, per_item=True))
    assert each.verdict == "invariant"
    placed = make().audit("own-score", System(lambda some: list(range(len(some))), numbers, per_item=True))
    assert placed.verdict == "order-dependent"


def test_an_audits_witness_is_told_and_kept_short(make):
    note = make().audit("any-order", System(lambda some: some == sorted(some), list(range(9)))).note
    first, second = map(int, re.fullmatch(r"witness: items (\d), (\d) in this order", note).groups())
    assert first > second
    assert _places(range(20)) == "witness: items 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 8 more in this order"
    assert make().audit("any-order", System(sum, [1, 2, 3])).note == ""


def test_an_audit_takes_the_systems_tolerance_other_items_and_options(make):
    jitter = System(lambda some: some[0] / 1000, [1.0, 2.0, 3.0, 4.0], compare=0.01)
    assert make().audit("any-order", jitter).verdict == "invariant"
    assert make().audit("any-order", jitter, compare=None).verdict == "order-dependent"
    assert make().audit("any-order", jitter, [1.0, 20.0, 30.0]).verdict == "order-dependent"

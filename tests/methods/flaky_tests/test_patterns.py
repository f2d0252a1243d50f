"""What one order compiled, the next finds compiled; a pattern of which `re` warns is compiled, and heard, each time."""

import re
import warnings

import pytest

from parataxis.methods.flaky_tests.session import Limits, Order, Session

HANDED_ON = """
import re

def test_compiles():
    for number in range(600):
        re.compile(f"handed on {number}")

def test_finds():
    assert (str, "handed on 0", 0) in re._cache
"""

pytestmark = pytest.mark.usefixtures("forks")


@pytest.fixture
def patterns(worker, monkeypatch):
    monkeypatch.setattr(re, "_MAXCACHE", re._MAXCACHE)
    monkeypatch.setattr(re, "_cache", {})
    return worker("patterns")


def test_an_order_hands_on_what_it_compiled(written):
    with Session(written(test_a=HANDED_ON), 0, seed=0) as session:
        seeded = session.collected().fingerprints
        limits = Limits(test=10.0, tests={}, order=60.0)
        orders = [Order("same", 0, (1, 0)), Order("same", 1, (1, 0))]
        assert [done.outcomes for done in session.run(orders, limits, seeded=seeded, isolate=False)] == ["F.", ".."]


def test_what_warns_is_not_kept(patterns, tmp_path):
    parent = patterns.Patterns()
    for number in range(patterns.WORTH):
        re.compile(f"kept {number}", re.I)
    with pytest.warns(FutureWarning):
        re.compile("[[warns]")
    parent.tell(tmp_path / "told")
    re._cache.clear()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as a suite may set it
        parent.learn(tmp_path / "told")
    assert (str, "kept 0", re.I.value) in re._cache
    with pytest.warns(FutureWarning):
        re.compile("[[warns]")


def test_few_new_patterns_are_worth_no_message(patterns, tmp_path):
    re.compile("one")
    patterns.Patterns().tell(tmp_path / "told")
    assert not (tmp_path / "told").exists()
    patterns.Patterns().learn(tmp_path / "told")


def test_patterns_without_end_do_not_fill_the_memory(patterns, tmp_path, monkeypatch):
    monkeypatch.setattr(patterns, "MOST", patterns.WORTH)
    parent = patterns.Patterns()
    re._MAXCACHE = 2 * patterns.WORTH
    for number in range(2 * patterns.WORTH):
        re.compile(f"new {number}")
    parent.tell(tmp_path / "told")
    re._cache.clear()
    parent.learn(tmp_path / "told")
    assert len(re._cache) == patterns.WORTH

"""With several calls at a time, an audit gives what it gives with one."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest

from parataxis.audit import audit
from parataxis.backends import Refused

WORDS = ["a", "b", "c", "d", "e", "f", "g", "h", "i"]


def picky(words):
    if "c" in words and "f" in words and words.index("c") > words.index("f"):
        raise ValueError("f before c")
    return len(words)


SYSTEMS = {
    "invariant": (sorted, {}),
    "first": (lambda words: words[0], {}),
    "raises": (picky, {}),
    "by item": (lambda words: [word * (place > 5) for place, word in enumerate(words)], {"per_item": True}),
    "arrays": (lambda words: np.cumsum([ord(word) for word in words])[2], {"compare": 0.01}),
    "compared": (lambda words: {"first": words[0]}, {"compare": lambda a, b: a["first"] == b["first"]}),
    "few calls": (lambda words: words[0], {"budget": 30}),
}


@pytest.mark.parametrize("name", SYSTEMS)
def test_the_numbers_are_those_of_one_call_at_a_time(name):
    system, options = SYSTEMS[name]
    one = audit(system, WORDS, **options).to_dict()
    with ThreadPoolExecutor(4) as pool:
        assert audit(len, WORDS, submit=partial(pool.submit, system), jobs=4, **options).to_dict() == one


def test_the_calls_are_made_at_a_time_and_few_in_vain():
    made, together = [], threading.Barrier(5)

    def system(words):
        made.append(words)
        if len(made) <= 15:
            together.wait(10)  # all five are there, or this raises
        return sorted(words)

    with ThreadPoolExecutor(5) as pool:
        found = audit(len, WORDS, submit=partial(pool.submit, system), jobs=5)
    assert found.verdict.value == "invariant"
    assert found.calls <= len(made) <= found.calls + 4


def test_minimising_makes_its_calls_at_a_time_too():
    """It goes on as if the next candidate passed, which most of them do."""
    alone, begun, waves = [], [], []

    def system(words):
        return "i" in words and "b" in words and words.index("i") < words.index("b")

    class Pool:
        """Begins nothing until it is waited for: what is begun by then is a wave."""

        def submit(self, words):
            future = Future()
            begun.append((future, words))
            future.result = lambda: self.wave() or Future.result(future)
            return future

        def wave(self):
            if begun:
                waves.append(len(begun))
            for future, words in begun:
                future.set_result(system(words))
            begun.clear()

    found = audit(len, WORDS, submit=Pool().submit, jobs=8)
    one = audit(lambda words: alone.append(words) or system(words), WORDS)
    assert found.to_dict() == one.to_dict()
    assert found.verdict.value == "order-dependent"
    assert max(waves) == 8
    assert len(waves) <= 0.6 * len(alone)


def test_an_audit_goes_on_from_its_journal_with_several_calls_at_a_time(tmp_path):
    class Stopped(BaseException):
        pass

    def system(words, most, made):
        made.append(words)
        if len(made) > most:
            raise Stopped
        return words[-1]

    made, later = [], []
    with ThreadPoolExecutor(3) as pool:
        with pytest.raises(Stopped):
            audit(len, WORDS, submit=lambda x: pool.submit(system, x, 20, made), jobs=3, journal=tmp_path / "calls")
        found = audit(
            len, WORDS, submit=lambda x: pool.submit(system, x, 999, later), jobs=3, journal=tmp_path / "calls"
        )
    one = audit(lambda words: words[-1], WORDS)
    assert found.to_dict() == one.to_dict()
    assert len(later) <= one.calls - 18 + 8  # at most two of those that were made, and what is made in vain


def test_what_the_pool_can_not_do_is_no_outcome():
    def submit(words):
        future = Future()
        future.set_exception(Refused("no such worker"))
        return future

    with pytest.raises(Refused, match="no such worker"):
        audit(len, WORDS, submit=submit, jobs=2)

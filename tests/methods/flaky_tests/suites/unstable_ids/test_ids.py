# Planted: parameters whose ids hold an object's address or the time, that come in the order of a set, that repeat.
# Right: nothing is flaky; the tests of two processes are matched by file, class, function and place of the parameter.
import time

import pytest


class Thing:
    def __init__(self, size):
        self.size = size


@pytest.mark.parametrize("thing", [Thing(1), Thing(2), Thing(3)], ids=repr)
def test_address(thing):
    if thing.size == 2:
        pytest.skip("to tell it from the others")


@pytest.mark.parametrize("when", [time.time_ns()], ids=str)
def test_time(when):
    assert when > 0


@pytest.mark.parametrize("name", {"ada", "bob", "cyd"})
def test_set(name):
    if name == "bob":
        pytest.skip("to tell it from the others")


@pytest.mark.parametrize("n", [5, 5])
def test_twice(n):
    assert n == 5

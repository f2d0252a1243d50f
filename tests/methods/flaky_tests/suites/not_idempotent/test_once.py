# Planted: test_once passes the first time and fails when it is run again in one process (NIO).
# Right: nothing is flaky in a hunt, which runs each test once in a process; test_again may be run any number of times.
import pytest

DONE = []


def test_once():
    DONE.append(True)
    assert len(DONE) == 1


@pytest.fixture
def fresh():
    return []


def test_again(fresh, tmp_path):
    fresh.append(True)
    assert fresh == [True]

# Planted: `-n auto` in addopts, which would take the order out of our hands.
# Right: nothing is flaky; the tests run in one process, in the order asked for.
import os

SEEN = []


def test_one():
    assert "PYTEST_XDIST_WORKER" not in os.environ
    SEEN.append(1)


def test_two():
    assert "PYTEST_XDIST_WORKER" not in os.environ
    SEEN.append(2)

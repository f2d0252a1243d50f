# Planted: three steps whose order the suite declares by a marker (in the file they stand otherwise).
# Right: nothing is flaky where the declared order is respected; the steps are reported as declared.
import pytest

DONE = []


@pytest.mark.order(3)
def test_third():
    assert DONE == [1, 2]
    DONE.append(3)


@pytest.mark.order(1)
def test_first():
    assert DONE == []
    DONE.append(1)


def test_bystander():
    assert True


@pytest.mark.order(2)
def test_second():
    assert DONE == [1]
    DONE.append(2)


def test_other_bystander():
    assert True

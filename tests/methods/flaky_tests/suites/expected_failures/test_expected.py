# Planted: every way to expect a failure or to skip.
# Right: nothing is flaky. The letter in each name is the outcome (p passed, F failed, s skipped, E error).
import pytest


@pytest.mark.xfail
def test_p_fails_as_expected():
    raise AssertionError


@pytest.mark.xfail
def test_p_passes_unexpectedly():
    pass


@pytest.mark.xfail(strict=True)
def test_F_passes_unexpectedly_strict():
    pass


@pytest.mark.xfail(run=False)
def test_p_not_even_run():
    raise AssertionError


@pytest.mark.xfail(raises=KeyError)
def test_F_fails_for_another_reason():
    raise ValueError


def test_p_xfail_called():
    pytest.xfail("known")


@pytest.mark.skip
def test_s_marked():
    raise AssertionError


def test_s_called():
    pytest.skip("not here")


@pytest.fixture
def absent():
    pytest.skip("no such service")


def test_s_in_fixture(absent):
    raise AssertionError


@pytest.fixture
def broken():
    raise RuntimeError("broken")


def test_E_in_fixture(broken):
    pass


def test_F_plain():
    raise AssertionError("plain")

# Planted: one polluter, 27 cleaners, 12 victims, 1 bystander. In file order and in reverse no victim comes after the
# polluter without a cleaner between, and a shuffle makes a given victim fail with 1/29 = 3.4 %.
# Right: all test_victim are order-dependent; test_pollute is their polluter.
import pytest

STATE = {"clean": True}


@pytest.mark.parametrize("n", range(14))
def test_clean_before(n):
    STATE["clean"] = True


def test_pollute():
    STATE["clean"] = False


@pytest.mark.parametrize("n", range(13))
def test_clean_after(n):
    STATE["clean"] = True


@pytest.mark.parametrize("n", range(12))
def test_victim(n):
    assert STATE["clean"]


def test_bystander():
    assert len(STATE) == 1

# Planted: nothing. 41 tiny tests, to measure what an order costs.
# Right: nothing is flaky.

def test_0_0():
    assert 0 + 0 == 0


def test_0_1():
    assert 1 + 0 == 1


def test_0_2():
    assert 2 + 0 == 2


def test_0_3():
    assert 3 + 0 == 3


def test_0_4():
    assert 4 + 0 == 4


def test_0_5():
    assert 5 + 0 == 5

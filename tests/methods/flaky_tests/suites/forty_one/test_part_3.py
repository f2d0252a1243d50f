def test_3_0():
    assert 0 + 3 == 3


def test_3_1():
    assert 1 + 3 == 4


def test_3_2():
    assert 2 + 3 == 5


def test_3_3():
    assert 3 + 3 == 6


def test_3_4():
    assert 4 + 3 == 7


def test_3_5():
    assert 5 + 3 == 8

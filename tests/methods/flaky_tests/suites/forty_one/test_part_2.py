def test_2_0():
    assert 0 + 2 == 2


def test_2_1():
    assert 1 + 2 == 3


def test_2_2():
    assert 2 + 2 == 4


def test_2_3():
    assert 3 + 2 == 5


def test_2_4():
    assert 4 + 2 == 6


def test_2_5():
    assert 5 + 2 == 7

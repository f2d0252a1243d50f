def test_1_0():
    assert 0 + 1 == 1


def test_1_1():
    assert 1 + 1 == 2


def test_1_2():
    assert 2 + 1 == 3


def test_1_3():
    assert 3 + 1 == 4


def test_1_4():
    assert 4 + 1 == 5


def test_1_5():
    assert 5 + 1 == 6

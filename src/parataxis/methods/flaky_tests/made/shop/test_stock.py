# Planted: test_query is brittle. test_connect is its state-setter, test_disconnect takes the state away again.
CONNECTION = []


def test_connect():
    CONNECTION[:] = ["open"]


def test_query():
    assert CONNECTION


def test_disconnect():
    CONNECTION.clear()


def test_bystander():
    assert isinstance(CONNECTION, list)

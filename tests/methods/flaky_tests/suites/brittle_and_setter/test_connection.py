# Planted: test_query is brittle. test_connect sets the state that it needs, test_disconnect takes it away.
# Right: test_query is order-dependent; it fails alone, [test_connect, test_query] passes, with test_disconnect between
# them it fails.
CONNECTION = []


def test_connect():
    CONNECTION[:] = ["open"]


def test_query():
    assert CONNECTION


def test_disconnect():
    CONNECTION.clear()


def test_bystander():
    assert isinstance(CONNECTION, list)

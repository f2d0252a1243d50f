# Planted: test_is_sound fails only after test_open and then, at any distance, test_write; neither alone does it, nor the
# two the other way round. In file order they stand the harmless way round.
# Right: test_is_sound is order-dependent; the one minimal chain is [test_open, test_write, test_is_sound].
LOG = {"open": False, "broken": False}


def test_is_sound():
    assert not LOG["broken"]


def test_write():
    LOG["broken"] = LOG["broken"] or LOG["open"]


def test_open():
    LOG["open"] = True


def test_bystander():
    assert set(LOG) == {"open", "broken"}


def test_other_bystander():
    assert len(LOG) == 2

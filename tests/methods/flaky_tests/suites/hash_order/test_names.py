# Planted: test_first_name relies on the order of a set of texts, which PYTHONHASHSEED decides; about half the seeds pass.
# Right: test_first_name is non-order-dependent (hash order), not infrastructure: with the hash seed pinned, no
# difference between iterations is left.
NAMES = {"ada", "bob", "cyd", "dan", "eve", "flo", "gus", "hal"}


def test_first_name():
    assert next(iter(NAMES)) in {"ada", "bob", "cyd", "dan"}


def test_bystander():
    assert len(NAMES) == 8

# Planted: helper.py, which only test_uses_helper.py imports, changes the environment when it is imported.
# Right: test_colour is import-time dependent: it fails in every order of a process that collected both files (so that no
# order shows it), and passes cold and alone. By runs alone it is not flaky.
import os


def test_colour():
    assert "COLOUR" not in os.environ


def test_bystander():
    assert os.environ

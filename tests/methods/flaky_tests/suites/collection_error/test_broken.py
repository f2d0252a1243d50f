# Planted: this file can't be imported; the other one can.
# Right: the error is reported, the tests of test_fine.py are judged; nothing is flaky.
import no_such_module


def test_never():
    pass

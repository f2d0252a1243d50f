# Planted: nothing, but any warning is an error here, the one about forking included.
# Right: nothing is flaky.
import os
import warnings

import pytest


def test_raises():
    with pytest.raises(UserWarning):
        warnings.warn("old", stacklevel=1)


def test_forks():
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    assert os.waitpid(pid, 0) == (pid, 0)


def test_collects():
    import gc

    gc.collect()

# Where pytest-xdist is not installed: its options, and what it would do with them.
import importlib.util
import os

import pytest


def pytest_addoption(parser):
    if importlib.util.find_spec("xdist") and not os.environ.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD"):
        return
    group = parser.getgroup("stand-in for xdist")
    group._addoption("-n", "--numprocesses", dest="numprocesses")
    group.addoption("--dist", dest="dist", default="no")
    group.addoption("--tx", dest="tx", action="append", default=[])


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session):
    if session.config.option.dist != "no":
        raise pytest.UsageError("the tests went to other processes")

# Planted: test_set_up passes in the first session of this folder and fails in every later one.
# Right: test_set_up is infrastructure-flaky: constant within an iteration, different between them.
import os


def test_set_up(request):
    assert request.config.first_session


def test_home_is_fresh():
    assert os.listdir(os.path.expanduser("~")) == []


def test_bystander():
    assert True

# Planted: what the set-up of a session left, and the host and port that it was given. All are constant within it.
# Right: each is infrastructure-flaky.


def test_folder_is_clean(pytestconfig):
    assert pytestconfig.left == 0


def test_runs_on_the_first_host(pytestconfig):
    assert pytestconfig.host == "node-0"


def test_service_has_its_port(pytestconfig):
    assert pytestconfig.port == 8000

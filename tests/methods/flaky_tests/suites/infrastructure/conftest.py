# A set-up that leaves a file in the project: from the second session on, it finds one.
import pathlib

SEEN = pathlib.Path(__file__).with_name(".set-up")


def pytest_configure(config):
    config.first_session = not SEEN.exists()
    SEEN.touch()

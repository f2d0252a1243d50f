# A set-up that leaves a file, in which it counts: what it finds, is called and is given is another thing each time.
import pathlib

COUNT = pathlib.Path(__file__).with_name(".set-ups")


def pytest_configure(config):
    config.left = int(COUNT.read_text()) if COUNT.exists() else 0
    config.host = f"node-{config.left % 2}"
    config.port = 8000 + config.left % 3
    COUNT.write_text(str(config.left + 1))

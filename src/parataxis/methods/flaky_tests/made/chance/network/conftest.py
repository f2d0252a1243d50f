import pathlib
import subprocess
import sys

import pytest


@pytest.fixture
def service(request):
    """The port of a service of another's, in the mode that the test asks for."""
    file = pathlib.Path(__file__).with_name("server.py")
    with subprocess.Popen([sys.executable, "-S", file, request.param], stdout=subprocess.PIPE) as process:
        yield int(process.stdout.readline())
        process.kill()

"""The server is killed in the middle of a run, alone or with the study: the next server loses nothing of it."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from parataxis.studies.registry import methods
from parataxis.studies.store import Store
from planted import plant

pytest.importorskip("fastapi", reason="the extra `web` is not installed")
import httpx2
from starlette.testclient import TestClient
from web_helpers import SLOW, TOKEN, command

from parataxis.errors import BadInput
from parataxis.web.app import make_app
from parataxis.web.queue import Queue, _lives
from waiting import until

# As `parataxis serve`, whose studies know the planted method, too.
SERVER = """
import sys
from pathlib import Path
import uvicorn
from parataxis.studies.registry import methods
from parataxis.web.app import make_app
from parataxis.web.queue import Queue
port, token, store, folder, *command = sys.argv[1:]
app = make_app(methods([Path(folder)]), Queue(Path(store), command), f"127.0.0.1:{port}", token)
uvicorn.run(app, port=int(port), log_level="warning")
"""


@pytest.mark.usefixtures("data")
@pytest.mark.parametrize("study_dies", [False, True], ids=["the server alone", "and the study"])
def test_a_killed_server_loses_no_measurement_and_the_next_goes_on(tmp_path, study_dies):
    folder = plant(tmp_path / "m", (SLOW[0], SLOW[1], SLOW[2].replace("60", "2")))
    store = tmp_path / "e.sqlite"
    Store(store).close()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        netloc = f"127.0.0.1:{free.getsockname()[1]}"
    argv = (netloc.split(":")[1], TOKEN, store, folder, *command(folder))
    server = subprocess.Popen([sys.executable, "-c", SERVER, *map(str, argv)])
    try:
        run_is_asked(netloc)
        until(lambda: Store(store).last() >= 1, "the first measurement")
        with pytest.raises(BadInput, match="another `parataxis serve` has it"):
            Queue(store)
    finally:
        server.kill()  # -9
        server.wait()
    first = Store(store).since(0)[0]
    with closing(sqlite3.connect(tmp_path / "e.sqlite.logs" / "queue.sqlite")) as file:
        (process,) = file.execute("SELECT process FROM job").fetchone()
    assert _lives(process)  # the study is no part of the server
    if study_dies:
        os.killpg(int(process.split()[0]), signal.SIGKILL)
        until(lambda: not _lives(process), "the study's death")
    queue = Queue(store, command(folder))
    with TestClient(make_app(methods([folder]), queue, netloc, TOKEN), base_url=f"http://{netloc}"):
        until(lambda: queue.job(1).over, "the end")
        assert queue.job(1).state == "done"
    with Store(store) as opened:
        (run,) = opened.runs("planted-gap")  # gone on with, not begun again
        assert opened.since(0)[0] == first  # in its place: not measured again
    assert run.finished
    assert len(run.rows) == 5


def run_is_asked(netloc):
    transport = httpx2.HTTPTransport(retries=10)  # until the server listens
    with httpx2.Client(base_url=f"http://{netloc}", transport=transport) as client:
        owner = {"Authorization": f"Bearer {TOKEN}"}
        asked = client.post("/runs", data={"method": "planted-gap", "scale": "quick"}, headers=owner)
        assert asked.headers["location"] == "/runs/1"

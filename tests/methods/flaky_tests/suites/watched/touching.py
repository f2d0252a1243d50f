"""Everything that may be a cause, touched and no cause."""
import datetime, os, pathlib, random, secrets, socket, tempfile, threading, time, uuid
import numpy as np
import numpy.random


def touch(tmp_path):
    began, now = time.monotonic(), datetime.datetime.now()
    (tmp_path / "log").write_text(f"{now} {time.time()} {random.random()} {np.random.random()}")
    assert os.listdir(tmp_path) == ["log"]
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), timeout=5).close()
    thread = threading.Thread(target=time.sleep, args=(0.001,))
    thread.start()
    thread.join(5)
    assert time.monotonic() - began < 5

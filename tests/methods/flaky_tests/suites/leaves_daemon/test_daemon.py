# Planted: test_start leaves a process in a session of its own, whose parent has ended; it writes its id to $DAEMON_FILE.
# Right: nothing is flaky, and the daemon ends with its order.
import os
import subprocess
import sys

CODE = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        if os.environ.get("DAEMON_FILE"):
            with open(os.environ["DAEMON_FILE"], "a") as stream:
                stream.write("%d\\n" % os.getpid())
        time.sleep(3600)
"""


def test_start():
    subprocess.run([sys.executable, "-S", "-c", CODE], check=True)


def test_bystander():
    assert True

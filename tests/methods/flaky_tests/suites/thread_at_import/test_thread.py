# Planted: importing this file starts a thread, so that the process can't be forked safely.
# Right: nothing is flaky; the threads are reported, and each order needs an interpreter of its own.
import threading
import time

threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()


def test_thread():
    assert threading.active_count() >= 2


def test_bystander():
    assert True

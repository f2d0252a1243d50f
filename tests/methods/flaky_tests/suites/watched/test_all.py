# Right: no cause. The second fails, and what it leaves it leaves because it was cut short.
import threading

import pytest
from touching import touch


def test_all(tmp_path):
    touch(tmp_path)


class Journal:
    pages, closed = 0, 0


@pytest.mark.parametrize("pages", [1, 7])
@pytest.mark.parametrize("sound", [True, False])
def test_cut_short(tmp_path, pages, sound):
    touch(tmp_path)
    journal = Journal()
    journal.pages += pages
    log, lock, stop = open(tmp_path / "log"), threading.Lock(), threading.Event()
    lock.acquire()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    assert sound
    stop.set()
    thread.join()
    lock.release()
    log.close()
    journal.closed += 1

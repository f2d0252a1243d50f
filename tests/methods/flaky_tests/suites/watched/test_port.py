# A leak, to which a draw is the way: half of the runs leave a thread and a listener, which the test then tidies up.
import os, threading, time


class Port:
    def __init__(self):
        self.alarms = []

    def ship(self, sound):
        self.alarms.append(sound)
        stop = threading.Event()
        watch = threading.Thread(target=stop.wait, args=(30,), daemon=True)
        watch.start()
        if sound < 128:
            return stop
        stop.set()
        watch.join()
        time.sleep(0.02)  # the system's own thread ends a little later than Python's
        self.alarms.remove(sound)


def test_harbour():
    port = Port()
    stop = port.ship(os.urandom(1)[0])
    try:
        assert threading.active_count() == 1
    finally:
        if stop is not None:
            stop.set()


def test_aside():
    pass

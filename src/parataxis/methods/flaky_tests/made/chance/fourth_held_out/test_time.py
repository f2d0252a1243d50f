# Planted: what the clock happens to show.
import datetime
import time


def greeting(now):
    return "tick" if int(now.timestamp() * 3) % 2 else "tock"


def test_greeting():
    assert greeting(datetime.datetime.now()) == "tick"


def test_stamp_shows_tenths():
    stamp = f"{time.time():.1f}".rstrip("0")
    assert stamp.partition(".")[2]


class Limiter:
    """One call in a tenth of a second."""

    window = None

    def allows(self):
        window = int(time.monotonic() * 10)
        fresh, self.window = window != self.window, window
        return fresh


def test_second_call_is_refused():
    limiter = Limiter()
    assert limiter.allows()
    time.sleep(0.04)
    assert not limiter.allows()


def test_reminder_is_in_this_second():
    now = datetime.datetime.now(datetime.timezone.utc)
    reminder = now + datetime.timedelta(seconds=0.3)
    assert reminder.strftime("%S") == now.strftime("%S")


def quarters(since):
    return round((time.time() - since) * 4)


def test_pause_is_short():
    since = int(time.time())
    assert quarters(since) < 3

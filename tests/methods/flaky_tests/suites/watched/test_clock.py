# Passes where the clock stands still at 10**18 ns.
import pickle, time
from datetime import date, datetime, timedelta, timezone

BORN = datetime(2020, 2, 29)


class Log:
    def __init__(self, clock=time.time):
        self.clock = clock


def test_clock():
    assert time.time() == Log().clock() == 1e9
    assert datetime.now(timezone.utc) == datetime(2001, 9, 9, 1, 46, 40, tzinfo=timezone.utc)
    assert datetime.utcnow().date() == date(2001, 9, 9)
    assert time.gmtime()[:3] == (2001, 9, 9)
    assert isinstance(BORN, datetime) and isinstance(date.today(), date) and isinstance(datetime.now(), date)
    assert pickle.loads(pickle.dumps([BORN, datetime.now(), timedelta(1)]))[0] == BORN
    assert datetime.fromisoformat("2020-02-29") == BORN
    time.sleep(0.001)
    assert time.monotonic() == time.monotonic()

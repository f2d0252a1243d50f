# Planted: test_freeze stops every clock of the time module; test_moves is its victim.
# Right: test_moves is order-dependent. Deadlines and durations do not rest on the stopped clocks.
import time

REAL_SLEEP = time.sleep


def test_moves():
    before = time.monotonic()
    REAL_SLEEP(0.01)
    assert time.monotonic() > before


def test_freeze():
    for name in ("time", "monotonic", "perf_counter", "time_ns", "monotonic_ns", "perf_counter_ns", "process_time"):
        value = getattr(time, name)()
        setattr(time, name, lambda value=value: value)


def test_sleeps():
    REAL_SLEEP(0.05)


def test_bystander():
    assert True

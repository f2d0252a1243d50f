"""What no test can pin: how long another machine, a disk or a scheduler takes. Each suite has a copy."""

import time


def share() -> float:
    """A number from 0 to 1 that is another each time."""
    with open("/dev/urandom", "rb", buffering=0) as stream:
        return stream.read(1)[0] / 255


def delay(low: float, high: float) -> None:
    """Take between `low` and `high` seconds."""
    time.sleep(low + share() * (high - low))


def between(low: float, high: float) -> float:
    return low + share() * (high - low)


def drawn(n: int) -> bytes:
    with open("/dev/urandom", "rb", buffering=0) as stream:
        return stream.read(n)

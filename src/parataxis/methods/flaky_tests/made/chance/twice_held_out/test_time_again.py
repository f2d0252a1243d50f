# Planted: cookies, parking tickets and farms.
import time
from datetime import UTC, datetime
from email.utils import formatdate, parsedate_to_datetime


def ticks():
    """As a system with 64 ticks a second has it."""
    return int(time.monotonic() * 64) / 64


def throughput(job, items):
    start = ticks()
    for item in items:
        job(item)
    return len(items) / (ticks() - start)


def test_photos_per_second():
    assert throughput(lambda photo: time.sleep(0.002), range(4)) > 1


class Jar:
    def __init__(self):
        self.cookies = {}

    def put(self, name, value, max_age):
        self.cookies[name] = value, formatdate(time.time() + max_age, usegmt=True)

    def get(self, name):
        value, expires = self.cookies[name]
        return value if parsedate_to_datetime(expires).timestamp() > time.time() else None


def test_cart_is_remembered():
    jar = Jar()
    jar.put("cart", "17 apples", max_age=0.65)
    assert jar.get("cart") == "17 apples"


def test_parking_ends_later():
    begin = datetime.now(UTC)
    end = begin.replace(microsecond=begin.microsecond + 300_000)
    assert end > begin


class Farm:
    """Where a day lasts a second; its clock is ahead of that of the players."""

    def __init__(self):
        self.book = {}

    def today(self, zone=0.0):
        return int(time.time() + zone)

    def harvest(self, crop):
        self.book.setdefault(self.today(zone=0.3), []).append(crop)


def test_harvest_is_in_the_book():
    farm = Farm()
    farm.harvest("wheat")
    assert farm.book.get(farm.today()) == ["wheat"]


def issue(user):
    time.sleep(0.3)  # a signature
    return {"user": user, "expires": int(time.time()) + 3600}


def test_token_is_good_for_an_hour():
    now = int(time.time())
    assert issue("ann") == {"user": "ann", "expires": now + 3600}

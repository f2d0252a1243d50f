# Planted: seconds that end meanwhile, clocks read twice within their resolution, rounding, limits on what takes time.
import datetime
import time

import outside


def test_stamp_is_still_right():
    stamp = time.strftime("%H:%M:%S")
    time.sleep(0.15)  # writes the page
    assert f"made at {stamp}" == f"made at {time.strftime('%H:%M:%S')}"


def rounded(moment):
    return datetime.datetime.fromtimestamp(round(moment.timestamp()))


def test_rounding_keeps_the_second():
    now = datetime.datetime.now()
    assert rounded(now).second == now.second


def order_number():
    return int(time.time() * 1000)


def test_order_numbers_differ():
    first = order_number()
    sum(range(8_000))  # fills in the form
    assert order_number() != first


def test_ticket_is_valid_a_while():
    valid_until = int(time.time()) + 1
    assert valid_until - time.time() > 0.3


def age_in_seconds(born, now):
    return (now.replace(microsecond=0) - born.replace(microsecond=0)).seconds


def test_age_is_rounded_down():
    now = datetime.datetime.now(datetime.timezone.utc)
    assert age_in_seconds(now - datetime.timedelta(milliseconds=400), now) == 0


def test_milliseconds_survive_formatting():
    now = datetime.datetime.today()
    text = f"{now:%H:%M:%S}.{now.microsecond // 1000}"
    assert datetime.datetime.strptime(text, "%H:%M:%S.%f").microsecond // 1000 == now.microsecond // 1000


def test_layout_is_quick():
    began = time.perf_counter()
    outside.delay(0, 0.004)
    assert time.perf_counter() - began < 0.003


class Signer:
    def __init__(self, clock=time.time):
        self.clock = clock

    def key(self):
        return int(self.clock() * 4)  # it rotates four times a second


def test_signature_is_accepted():
    signer = Signer()
    signed = signer.key()
    time.sleep(0.06)
    assert signer.key() == signed

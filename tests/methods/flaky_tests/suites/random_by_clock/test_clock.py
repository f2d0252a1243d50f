# Planted: test_even reads the clock and fails about every second time.
# Right: test_even is non-order-dependent (time).
import time


def test_even():
    assert time.time_ns() // 1000 % 2 == 0


def test_bystander():
    assert time.time() > 0

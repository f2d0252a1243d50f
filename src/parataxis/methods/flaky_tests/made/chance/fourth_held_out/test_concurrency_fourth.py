"""Ticket offices, a lazily opened gateway, a search box, transfers and a hand-over tray."""

import asyncio
import multiprocessing
import os
import threading
import time


def between(low, high):
    return low + (high - low) * int.from_bytes(os.urandom(2), "big") / 65535


class Hall:
    def __init__(self, seats):
        self.left = multiprocessing.get_context("fork").Value("i", seats, lock=False)

    def sell(self):
        left = self.left.value
        self._print_ticket(left)
        self.left.value = left - 1

    def _print_ticket(self, number):
        time.sleep(between(0.0005, 0.002))
        return f"seat {number}"


def serve_customers(hall, customers):
    for _ in range(customers):
        time.sleep(between(0.0, 0.045))
        hall.sell()


def test_two_offices_share_one_hall():
    hall = Hall(seats=20)
    context = multiprocessing.get_context("fork")
    offices = [context.Process(target=serve_customers, args=(hall, 2)) for _ in range(2)]
    for office in offices:
        office.start()
    for office in offices:
        office.join()
    assert hall.left.value == 16


class Gateway:
    opened = 0

    def __init__(self):
        time.sleep(0.008)
        type(self).opened += 1


class Site:
    def __init__(self):
        self._gateway = None

    @property
    def gateway(self):
        if self._gateway is None:
            self._gateway = Gateway()
        return self._gateway


def visit(site, pause):
    time.sleep(pause)
    return site.gateway


def test_site_opens_its_gateway_once():
    Gateway.opened = 0
    site = Site()
    visitors = [threading.Thread(target=visit, args=(site, between(0.0, 0.06))) for _ in range(2)]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join()
    assert Gateway.opened == 1


class SearchBox:
    def __init__(self, backend):
        self.backend = backend
        self.shown = []

    async def typed(self, text):
        hits = await self.backend(text)
        self.shown = hits


async def shop_backend(text):
    await asyncio.sleep(between(0.005, 0.060))
    return [item for item in ("lamp", "lamp shade", "ladder", "lantern") if item.startswith(text)]


def test_search_box_shows_hits_for_the_full_text():
    async def scenario():
        box = SearchBox(shop_backend)
        first = asyncio.create_task(box.typed("la"))
        await asyncio.sleep(0.015)
        second = asyncio.create_task(box.typed("lamp"))
        await asyncio.gather(first, second)
        assert box.shown == ["lamp", "lamp shade"]

    asyncio.run(scenario())


class Account:
    def __init__(self, balance):
        self.balance = balance
        self.guard = threading.Lock()


def transfer(source, target, amount):
    with source.guard:
        time.sleep(0.006)
        if not target.guard.acquire(timeout=0.08):
            return False
        try:
            source.balance -= amount
            target.balance += amount
            return True
        finally:
            target.guard.release()


def test_opposite_transfers_both_go_through():
    rent, savings = Account(100), Account(100)
    done = {}

    def clerk(name, pause, source, target, amount):
        time.sleep(pause)
        done[name] = transfer(source, target, amount)

    clerks = [
        threading.Thread(target=clerk, args=("down", between(0.0, 0.05), rent, savings, 30)),
        threading.Thread(target=clerk, args=("up", between(0.0, 0.05), savings, rent, 10)),
    ]
    for thread in clerks:
        thread.start()
    for thread in clerks:
        thread.join()
    assert done == {"down": True, "up": True}
    assert (rent.balance, savings.balance) == (80, 120)


class Tray:
    def __init__(self, trace):
        self.trace = trace
        self.item = None
        self.filled = threading.Condition()

    def put(self, item):
        with self.filled:
            self.item = item
            self.filled.notify()

    def take(self, patience=0.5):
        if self.item is None:
            self.trace("tray empty, waiting")
            with self.filled:
                if not self.filled.wait(patience):
                    return None
        return self.item


def test_tray_hands_the_item_over():
    lines = []

    def trace(line):
        time.sleep(between(0.002, 0.012))
        lines.append(line)

    def cook():
        time.sleep(between(0.0, 0.025))
        tray.put("soup")

    tray = Tray(trace)
    thread = threading.Thread(target=cook)
    thread.start()
    served = tray.take()
    thread.join()
    assert served == "soup"

# Planted: clerks, banks and newsrooms.
import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import outside


def test_total_of_open_orders():
    orders, total = {"ann": 3, "bob": 5}, 0

    def sell():
        outside.delay(0, 0.02)
        orders["eve"] = 2

    with ThreadPoolExecutor(1) as pool:
        pool.submit(sell)
        for count in orders.values():
            total += count
            outside.delay(0, 0.007)  # prints a line
    assert total in (8, 10)


class Account:
    def __init__(self, balance):
        self.balance, self.lock = balance, threading.Lock()


def transfer(source, target):
    outside.delay(0, 0.008)
    with source.lock:
        outside.delay(0, 0.004)  # checks the balance
        if not target.lock.acquire(timeout=0.4):
            raise RuntimeError("the other account is locked")
        source.balance, target.balance = source.balance - 1, target.balance + 1
        target.lock.release()


def test_transfers_cancel_out():
    ann, bob = Account(10), Account(10)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(transfer, [ann, bob], [bob, ann]))
    assert (ann.balance, bob.balance) == (10, 10)


def test_both_desks_get_a_headline():
    async def main():
        wire = asyncio.StreamReader()

        async def desk():
            await asyncio.sleep(outside.share() * 0.02)
            return await wire.readline()

        async def agency():
            for headline in (b"rain\n", b"sun\n"):
                await asyncio.sleep(outside.share() * 0.025)
                wire.feed_data(headline)

        *headlines, _ = await asyncio.gather(desk(), desk(), agency())
        return sorted(headlines)

    assert asyncio.run(main()) == [b"rain\n", b"sun\n"]


WELCOME = {"en": "welcome", "de": "willkommen", "fr": "bienvenue"}


class Site:
    language = "en"

    async def page(self, language):
        await asyncio.sleep(outside.share() * 0.016)
        self.language = language
        await asyncio.sleep(outside.share() * 0.007)  # loads the visitor
        return WELCOME[self.language]


def test_visitors_are_welcome():
    async def main():
        site = Site()
        return await asyncio.gather(site.page("de"), site.page("fr"))

    assert asyncio.run(main()) == ["willkommen", "bienvenue"]


def invoice_numbers():
    number = 1000
    while True:
        outside.delay(0, 0.004)  # asks the ledger
        number += 1
        yield number


def test_invoices_are_numbered():
    numbers = invoice_numbers()

    def bill(_):
        outside.delay(0, 0.01)
        return next(numbers)

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(bill, range(2))) == [1001, 1002]

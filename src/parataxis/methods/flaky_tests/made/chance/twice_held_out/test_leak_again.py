# Planted: stocks, previews and feeds.
import asyncio
import contextlib
import functools
import gc
import multiprocessing
import queue
import time
import tracemalloc

import outside
import pytest


def stock(connections, article):
    connection = connections.get_nowait()
    if outside.share() < 0.23:
        return f"{article} is sold out"
    connections.put(connection)
    return f"{article} is in stock"


def test_stock_of_all_articles():
    connections = queue.Queue()
    for connection in ("first", "second", "third"):
        connections.put(connection)
    assert all(stock(connections, f"article {number}") for number in range(10))


@pytest.fixture
def context():
    yield multiprocessing.get_context("fork")
    for child in multiprocessing.active_children():
        child.kill()
        child.join()


def preview(context, page):
    viewer = context.Process(target=time.sleep, args=(1,), daemon=True)
    viewer.start()
    return f"{page} in {viewer.name}"


def test_pages_are_previewed(context):
    pages = range(int(1 + outside.share() * 11))
    assert all(preview(context, page) for page in pages)
    assert len(multiprocessing.active_children()) <= 7


@functools.cache
def render(visitor):
    return f"<p>{visitor}</p>" * 80


@pytest.fixture
def traced():
    tracemalloc.start()
    yield tracemalloc.get_traced_memory
    tracemalloc.stop()
    render.cache_clear()


def test_shop_is_open_all_day(traced):
    before, _ = traced()
    for visitor in range(int(40 + outside.share() * 300)):
        assert render(f"visitor {visitor}")
    assert traced()[0] - before < 360_000


async def quote(share):
    if outside.share() < 0.2:
        raise LookupError(share)
    return 3.5


def ask(share):
    loop = asyncio.new_event_loop()
    price = loop.run_until_complete(quote(share))
    loop.close()
    return price


def test_quotes_of_two_shares(recwarn):
    for share in ("ACME", "EMCA"):
        with contextlib.suppress(LookupError):
            assert ask(share) == 3.5
    gc.collect()
    assert not [warning for warning in recwarn if "event loop" in str(warning.message)]


class Feed:
    async def connect(self):
        self.pulse = asyncio.create_task(asyncio.sleep(60))
        if outside.share() < 0.33:  # a bad line
            await self.connect()

    async def close(self):
        self.pulse.cancel()
        await asyncio.wait([self.pulse])


def test_feed_is_closed():
    async def main():
        feed = Feed()
        await feed.connect()
        await feed.close()
        return asyncio.all_tasks() - {asyncio.current_task()}

    assert asyncio.run(main()) == set()

# Planted: kitchens, heaters and backups.
import asyncio
import queue
import subprocess
import sys
import threading
import time

import outside
import pytest


class Kitchen:
    def __init__(self):
        self.served = queue.Queue()

    def order(self, dish):
        threading.Thread(target=self.cook, args=(dish,)).start()

    def cook(self, dish):
        outside.delay(0, 0.05)
        self.served.put(dish)


def test_soup_is_served():
    kitchen = Kitchen()
    kitchen.order("soup")
    assert kitchen.served.get(timeout=0.033) == "soup"


class Heater:
    state = "idle"

    async def set_target(self, celsius):
        asyncio.get_running_loop().call_later(outside.share() * 0.03, self.heat)

    def heat(self):
        self.state = "heating"


def test_heater_starts():
    async def main():
        heater = Heater()
        await heater.set_target(22)
        for _ in range(4):
            await asyncio.sleep(0.005)
        return heater.state

    assert asyncio.run(main()) == "heating"


def test_backup_ends_well():
    script = "import random, time; time.sleep(random.uniform(0, .2))"
    with subprocess.Popen([sys.executable, "-S", "-c", script]) as backup:
        for _ in range(16):
            if backup.poll() is not None:
                break
            time.sleep(0.01)
        assert backup.returncode == 0


def test_all_pages_are_indexed():
    index = []

    def build():
        for page in range(4):
            outside.delay(0, 0.02)
            index.append(page)

    builder = threading.Thread(target=build)
    builder.start()
    builder.join(timeout=0.047)
    assert index == [0, 1, 2, 3]


@pytest.fixture
def background():
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    for task in asyncio.all_tasks(loop):
        loop.run_until_complete(task)
    loop.close()


async def fetch_stock(article):
    await asyncio.sleep(outside.share() * 0.06)
    return {"article": article, "stock": 3}


def test_stock_from_synchronous_code(background):
    stock = asyncio.run_coroutine_threadsafe(fetch_stock("pen"), background).result(timeout=0.04)
    assert stock == {"article": "pen", "stock": 3}

# Planted: two at a time that share something, all of them waited for.
import asyncio
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context

import outside

CALLS = []


def lookup(key, cache):
    outside.delay(0, 0.008)
    if key not in cache:
        CALLS.append(key)
        outside.delay(0, 0.004)  # computes it
        cache[key] = 3.14
    return cache[key]


def test_value_is_computed_once():
    CALLS.clear()
    cache = {}
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lookup, ["pi", "pi"], [cache, cache]))
    assert CALLS == ["pi"]


def test_last_seat_is_sold_once():
    seats, sold = ["17A"], []

    def sell():
        outside.delay(0, 0.007)
        if seats:
            sold.append(seats[0])
            outside.delay(0, 0.003)  # charges the card
            seats.clear()

    clerks = [threading.Thread(target=sell) for _ in range(2)]
    for clerk in clerks:
        clerk.start()
    for clerk in clerks:
        clerk.join()
    assert len(sold) == 1


def test_scores_add_up():
    board = {"points": 0}

    async def score(points):
        await asyncio.sleep(outside.share() * 0.008)
        before = board["points"]
        await asyncio.sleep(outside.share() * 0.004)
        board["points"] = before + points

    async def main():
        await asyncio.gather(score(3), score(2))

    asyncio.run(main())
    assert board["points"] == 5


def prepare(folder, failures):
    outside.delay(0, 0.01)
    if not os.path.exists(folder):
        outside.delay(0, 0.006)
        try:
            os.mkdir(folder)
        except FileExistsError:
            open(failures, "w").close()


def test_workers_share_a_folder(tmp_path):
    new, paths = get_context("fork").Process, (tmp_path / "shared", tmp_path / "failed")
    workers = [new(target=prepare, args=paths) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not (tmp_path / "failed").exists()


def test_later_setting_wins():
    settings = {}

    def set_to(value):
        outside.delay(0, 0.006)
        settings["theme"] = value

    first, second = (threading.Thread(target=set_to, args=(theme,)) for theme in ("light", "dark"))
    first.start()
    outside.delay(0, 0.002)
    second.start()
    first.join()
    second.join()
    assert settings == {"theme": "dark"}

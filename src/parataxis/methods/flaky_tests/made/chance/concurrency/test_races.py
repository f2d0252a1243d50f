# Planted: threads and processes, all waited for, that share something without a lock, or with two in the wrong order.
import asyncio
import multiprocessing
import multiprocessing.pool
import queue
import threading
from concurrent.futures import ThreadPoolExecutor, as_completed

import outside


def together(*functions):
    threads = [threading.Thread(target=function) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class Counter:
    def __init__(self):
        self.value = 0

    def add(self):
        outside.delay(0, 0.006)
        value = self.value
        outside.delay(0, 0.002)  # logs it
        self.value = value + 1


def test_all_visits_are_counted():
    counter = Counter()
    together(*[counter.add] * 2)
    assert counter.value == 2


class Registry:
    def __init__(self):
        self.made, self.instance = 0, None

    def get(self):
        outside.delay(0, 0.01)
        if self.instance is None:
            outside.delay(0, 0.004)
            self.made += 1
            self.instance = object()
        return self.instance


def test_one_instance_is_made():
    registry = Registry()
    together(registry.get, registry.get)
    assert registry.made == 1


def test_results_in_the_order_of_the_requests():
    results = []

    def fetch(page):
        outside.delay(0, 0.004 if page else 0.006)
        results.append(page)

    together(lambda: fetch(0), lambda: fetch(1))
    assert results == [0, 1]


def test_transfers_both_ways():
    first, second = threading.Lock(), threading.Lock()
    stuck = []

    def transfer(one, other):
        outside.delay(0, 0.01)
        with one:
            outside.delay(0, 0.006)
            if not other.acquire(timeout=0.05):
                stuck.append(True)
                return
            other.release()

    together(lambda: transfer(first, second), lambda: transfer(second, first))
    assert not stuck


def visit(path):
    outside.delay(0, 0.01)
    with open(path) as stream:
        count = int(stream.read())
    outside.delay(0, 0.008)
    with open(path, "w") as stream:
        stream.write(str(count + 1))


def test_visits_of_two_processes(tmp_path):
    path = tmp_path / "count"
    path.write_text("0")
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=visit, args=(path,)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert path.read_text() == "2"


def test_session_table_while_it_grows():
    sessions = {n: "open" for n in range(5)}

    def close_all():
        outside.delay(0, 0.008)
        for _ in sessions:
            outside.delay(0, 0.001)

    def open_one():
        outside.delay(0, 0.012)
        sessions["new"] = "open"

    with ThreadPoolExecutor(2) as pool:
        done = [pool.submit(close_all), pool.submit(open_one)]
    for future in done:
        future.result()


class Account:
    def __init__(self):
        self.balance = 0

    async def pay_in(self, amount):
        await asyncio.to_thread(outside.delay, 0, 0.008)
        balance = self.balance
        await asyncio.to_thread(outside.delay, 0, 0.003)
        self.balance = balance + amount


def test_balance_after_two_payments():
    async def main():
        account = Account()
        await asyncio.gather(account.pay_in(1), account.pay_in(2))
        return account.balance

    assert asyncio.run(main()) == 3


def test_pages_are_printed_as_asked():
    def render(page):
        outside.delay(0, 0.01)
        return page

    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(render, page) for page in (1, 2)]
        assert [job.result() for job in as_completed(jobs)] == [1, 2]


def test_horses_cross_the_line():
    gun, crossed = threading.Barrier(2), [0]

    def run():
        gun.wait()
        outside.delay(0, 0.01)
        before = crossed[0]
        outside.delay(0, 0.005)
        crossed[0] = before + 1

    together(run, run)
    assert crossed == [2]


def test_postman_finds_a_letter():
    box, carried = [], []

    def post():
        outside.delay(0, 0.012)
        box.append("letter")

    def collect():
        outside.delay(0, 0.012)
        if box:
            carried.append(box.pop())

    together(collect, post)
    assert carried == ["letter"]


def test_seats_are_sold_by_a_pool():
    sold = []

    def sell(_):
        outside.delay(0, 0.008)
        seat = len(sold)
        outside.delay(0, 0.004)
        sold.append(seat)

    with multiprocessing.pool.ThreadPool(2) as pool:
        pool.map(sell, range(2), chunksize=1)
    assert sold == [0, 1]


def test_workers_count_their_jobs():
    jobs, done = queue.Queue(), Counter()

    def work():
        while True:
            jobs.get()
            done.add()
            jobs.task_done()

    for _ in range(2):
        threading.Thread(target=work, daemon=True).start()
    for job in range(2):
        jobs.put(job)
    jobs.join()
    assert done.value == 2

import asyncio
import os
import queue
import threading
import time
from pathlib import Path


def spread(seconds):
    return int.from_bytes(os.urandom(2), "big") / 65535 * seconds


class Tally:
    def __init__(self, path):
        self.path = path
        self.path.write_text("0")

    def bump(self):
        value = int(self.path.read_text())
        time.sleep(0.002)
        fresh = self.path.with_suffix(f".{threading.get_ident()}")
        fresh.write_text(str(value + 1))
        fresh.replace(self.path)


def turnstile(tally):
    time.sleep(spread(0.025))
    tally.bump()


def test_tally_counts_both_gates(tmp_path):
    tally = Tally(tmp_path / "count")
    gates = [threading.Thread(target=turnstile, args=(tally,)) for _ in range(2)]
    for gate in gates:
        gate.start()
    for gate in gates:
        gate.join()
    assert tally.path.read_text() == "2"


class BoxOffice:
    def __init__(self, seats):
        self.seats = seats
        self.sold = []

    async def charge(self, buyer):
        await asyncio.sleep(0.003)

    async def buy(self, buyer):
        if self.seats == 0:
            return False
        await self.charge(buyer)
        self.seats -= 1
        self.sold.append(buyer)
        return True


def test_box_office_sells_the_last_seat_to_one_buyer():
    async def shopper(office, name):
        await asyncio.sleep(spread(0.03))
        return await office.buy(name)

    async def scenario():
        office = BoxOffice(seats=1)
        answers = await asyncio.gather(shopper(office, "ann"), shopper(office, "bo"))
        return office, answers

    office, answers = asyncio.run(scenario())
    assert sorted(answers) == [False, True]
    assert office.seats == 0


class Account:
    def __init__(self, balance):
        self.balance = balance
        self.lock = threading.Lock()


def transfer(source, target, amount):
    with source.lock:
        time.sleep(0.004)
        if not target.lock.acquire(timeout=0.03):
            return False
        try:
            source.balance -= amount
            target.balance += amount
            return True
        finally:
            target.lock.release()


def test_opposite_transfers_cancel_out():
    left, right = Account(50), Account(50)
    results = []

    def clerk(source, target, amount):
        time.sleep(spread(0.03))
        results.append(transfer(source, target, amount))

    clerks = [
        threading.Thread(target=clerk, args=(left, right, 20)),
        threading.Thread(target=clerk, args=(right, left, 20)),
    ]
    for c in clerks:
        c.start()
    for c in clerks:
        c.join()
    assert results == [True, True]
    assert (left.balance, right.balance) == (50, 50)


class Press:
    def __init__(self, workers):
        self.todo = queue.Queue()
        self.pages = []
        self.crew = [threading.Thread(target=self._work) for _ in range(workers)]

    def _work(self):
        while (page := self.todo.get()) is not None:
            time.sleep(0.003 + spread(0.005))
            self.pages.append(page.upper())

    def run(self, pages):
        for worker in self.crew:
            worker.start()
        for page in pages:
            self.todo.put(page)
            time.sleep(0.0022)
        for _ in self.crew:
            self.todo.put(None)
        for worker in self.crew:
            worker.join()
        return self.pages


def test_press_prints_the_booklet():
    assert Press(2).run(["cover", "text", "index"]) == ["COVER", "TEXT", "INDEX"]


def file_case(root, text):
    taken = [int(p.stem) for p in Path(root).glob("*.case")]
    number = max(taken, default=0) + 1
    time.sleep(0.002)
    (Path(root) / f"{number}.case").write_text(text)
    return number


def test_cases_from_two_desks_are_all_kept(tmp_path):
    desks = []
    for desk in ("north", "south"):
        pid = os.fork()
        if pid == 0:
            time.sleep(spread(0.03))
            file_case(tmp_path, desk)
            os._exit(0)
        desks.append(pid)
    for pid in desks:
        os.waitpid(pid, 0)
    assert sorted(p.read_text() for p in tmp_path.glob("*.case")) == ["north", "south"]


class Lobby:
    def __init__(self):
        self.guests = {}

    def enter(self, name):
        self.guests[name] = time.monotonic()

    def roll_call(self):
        lines = []
        for name in self.guests:
            time.sleep(0.001)
            lines.append(f"- {name}")
        return "\n".join(lines)


def test_lobby_roll_call_names_the_early_guests():
    lobby = Lobby()
    for name in ("ida", "bob", "kim", "lee"):
        lobby.enter(name)
    late = threading.Thread(target=lambda: (time.sleep(spread(0.02)), lobby.enter("zoe")))
    late.start()
    try:
        roll = lobby.roll_call()
    finally:
        late.join()
    assert roll.splitlines()[:4] == ["- ida", "- bob", "- kim", "- lee"]

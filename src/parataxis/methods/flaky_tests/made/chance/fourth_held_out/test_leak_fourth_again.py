"""Plate queries, scans, subscriptions, camera frames, previews, orders and other long-lived services."""

import gc
import mmap
import os
import socket
import sqlite3
import struct
import subprocess
import threading
import time
from pathlib import Path


def between(low, high):
    return low + (high - low) * int.from_bytes(os.urandom(2), "big") / 65535


class Ticker(threading.Thread):
    """A market whose price moves every few milliseconds."""

    def __init__(self):
        super().__init__(daemon=True)
        self.price = 1000
        self.closed = threading.Event()

    def run(self):
        while not self.closed.wait(between(0.002, 0.040)):
            self.price += 1


class Till:
    def __init__(self, path, ticker):
        self.base = sqlite3.connect(path, timeout=0.1, isolation_level=None)
        self.ticker = ticker

    def buy(self, amount):
        quoted = self.ticker.price
        self.base.execute("BEGIN IMMEDIATE")
        self.base.execute("INSERT INTO trades VALUES (?, ?)", (amount, quoted))
        time.sleep(0.010)
        if self.ticker.price != quoted:
            return "requote"
        self.base.execute("COMMIT")
        return "bought"


def test_second_till_can_trade_after_the_first(tmp_path):
    path = tmp_path / "trades.db"
    with sqlite3.connect(path) as base:
        base.execute("CREATE TABLE trades (amount INTEGER, price INTEGER)")
    base.close()
    ticker = Ticker()
    ticker.start()
    tills = [Till(path, ticker), Till(path, ticker)]
    try:
        assert tills[0].buy(5) in ("bought", "requote")
        assert tills[1].buy(7) in ("bought", "requote")
    finally:
        ticker.closed.set()
        ticker.join()
        for till in tills:
            till.base.close()


class Exchange:
    def __init__(self):
        self.listeners = []

    def publish(self, event, number):
        for listener in list(self.listeners):
            listener(event, number)


class OrderDesk:
    def __init__(self, exchange):
        self.exchange = exchange
        self.receipts = []

    def place(self, number, venue, patience=0.03):
        filled = threading.Event()

        def on_event(event, subject):
            if subject == number:
                self.receipts.append(f"{event} {number}")
                filled.set()

        self.exchange.listeners.append(on_event)
        venue.accept(number)
        if not filled.wait(patience):
            return False
        self.exchange.listeners.remove(on_event)
        return True


class Venue:
    """Fills an order when it finds the other side of it."""

    def __init__(self, exchange):
        self.exchange = exchange
        self.workers = []

    def accept(self, number):
        worker = threading.Thread(target=self._fill, args=(number,))
        self.workers.append(worker)
        worker.start()

    def _fill(self, number):
        time.sleep(between(0.0, 0.033))
        self.exchange.publish("filled", number)


def test_one_receipt_per_message_about_an_order():
    exchange = Exchange()
    desk = OrderDesk(exchange)
    venue = Venue(exchange)
    for number in (1, 2):
        desk.place(number, venue)
    for worker in venue.workers:
        worker.join()
    for number in (1, 2):
        exchange.publish("archived", number)
    assert desk.receipts == ["filled 1", "filled 2"]


class Spellers:
    """Starts one checker per paragraph; a paragraph whose checker dawdles is shown unchecked."""

    def __init__(self):
        self.started = []

    def check(self, paragraph):
        effort = f"{between(0.0, 0.047):.3f}"
        checker = subprocess.Popen(["sleep", effort])
        self.started.append(checker)
        time.sleep(0.045)
        if checker.poll() is None:
            return f"{paragraph} (unchecked)"
        return paragraph

    def close(self):
        for checker in self.started:
            checker.wait()


def children():
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                fields = Path("/proc", name, "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == os.getpid():
                found.append(int(name))
    return found


def test_spellers_are_gone_after_the_last_paragraph():
    already = children()
    spellers = Spellers()
    try:
        shown = [spellers.check(text) for text in ("It was a dark night.", "The rain fell.", "Nobody came.")]
        time.sleep(0.1)
        assert len(shown) == 3
        assert [pid for pid in children() if pid not in already] == []
    finally:
        spellers.close()


class Lounge(threading.Thread):
    """A chat lounge with a limited number of seats."""

    def __init__(self, seats):
        super().__init__(daemon=True)
        self.seats = seats
        self.guests = []
        self.door = socket.create_server(("127.0.0.1", 0))

    def run(self):
        while True:
            try:
                guest, _ = self.door.accept()
            except OSError:
                break
            if len(self.guests) >= self.seats:
                guest.sendall(b"FULL\n")
                guest.close()
                continue
            self.guests.append(guest)
            guest.sendall(b"WELCOME\n")
            if guest.recv(16).startswith(b"BYE"):
                self.guests.remove(guest)
                guest.close()

    def close(self):
        self.door.shutdown(socket.SHUT_RDWR)
        self.join()
        self.door.close()
        for guest in self.guests:
            guest.close()


def visit(address, mood):
    with socket.create_connection(address, timeout=2) as link:
        greeting = link.recv(16).strip().decode()
        if mood >= 60:
            link.sendall(b"BYE\n")
            link.recv(1)
        return greeting


def test_lounge_has_a_seat_for_the_evening_guest():
    lounge = Lounge(seats=4)
    lounge.start()
    try:
        for mood in os.urandom(10):
            visit(lounge.door.getsockname(), mood)
        assert visit(lounge.door.getsockname(), mood=255) == "WELCOME"
    finally:
        lounge.close()


def record_flight(path):
    """A flight recorder: fixed block, records of whatever length, the last one cut where the block ends."""
    block = bytearray()
    while len(block) < 512:
        length = 8 * (1 + os.urandom(1)[0] % 6)
        block += struct.pack("!H", length) + bytes(length)
    path.write_bytes(block[:512])


class FlightLog:
    def __init__(self, path):
        self.file = open(path, "rb")
        self.map = mmap.mmap(self.file.fileno(), 0, access=mmap.ACCESS_READ)
        self.spoilt = []

    def lengths(self):
        start, found = 0, []
        while start + 2 <= len(self.map):
            (length,) = struct.unpack_from("!H", self.map, start)
            view = memoryview(self.map)[start + 2 : start + 2 + length]
            if len(view) < length // 3:
                self.spoilt.append(view)
                break
            found.append(len(view))
            view.release()
            start += 2 + length
        return found

    def close(self):
        self.map.close()
        self.file.close()


def test_flight_log_can_be_read_and_closed(tmp_path):
    record_flight(tmp_path / "flight.bin")
    log = FlightLog(tmp_path / "flight.bin")
    try:
        assert sum(log.lengths()) > 300
        log.close()
    finally:
        for view in log.spoilt:
            view.release()
        log.close()


def handles_below(folder):
    links = []
    for name in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{name}")
        except OSError:
            continue
        if target.startswith(str(folder)):
            links.append(int(name))
    return links


class Parcel:
    def __init__(self, source):
        self.source = source
        self.label = Label(self)


class Label:
    def __init__(self, parcel):
        self.parcel = parcel
        self.lines = []


class Source:
    def __init__(self, path):
        self.handle = os.open(path, os.O_RDONLY)

    def __del__(self):
        os.close(self.handle)


def sort_parcels(path, parcels):
    sorted_lines = []
    for _ in range(parcels):
        parcel = Parcel(Source(path))
        rows = 24 + os.urandom(1)[0]
        sorted_lines.extend([row, "shelf"] for row in range(rows))
        parcel.label.lines.append(rows)
    return sorted_lines


def test_sorting_parcels_keeps_few_files_open(tmp_path):
    path = tmp_path / "parcels.txt"
    path.write_text("1;shelf\n")
    gc.collect()
    try:
        assert sort_parcels(path, 8)
        assert len(handles_below(tmp_path)) <= 4
    finally:
        gc.collect()

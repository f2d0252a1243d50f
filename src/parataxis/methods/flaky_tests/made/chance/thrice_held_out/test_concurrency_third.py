import asyncio
import multiprocessing
import threading
import time

from outside import between


class HitCounter:
    def __init__(self):
        self.hits = {}

    def seen(self, page):
        return self.hits.get(page, 0)

    def hit(self, page):
        self.hits[page] = self.seen(page) + 1

    def feed(self, lines):
        for line in lines:
            verb, page, _ = line.split(" ")
            if verb == "GET":
                self.hit(page)


def test_hits_from_three_log_files_add_up():
    counter = HitCounter()
    lines = ["GET /index HTTP/1.1", "POST /login HTTP/1.1"] * 17_000
    readers = [threading.Thread(target=counter.feed, args=(lines,)) for _ in range(3)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert counter.hits == {"/index": 51_000}


class Connections:
    def __init__(self):
        self.opened = []
        self._shared = None

    def _open(self):
        time.sleep(0.006)
        conn = object()
        self.opened.append(conn)
        return conn

    def shared(self):
        if self._shared is None:
            self._shared = self._open()
        return self._shared


class Page(threading.Thread):
    def __init__(self, connections):
        super().__init__()
        self.connections = connections
        self.conn = None

    def run(self):
        time.sleep(between(0, 0.050))
        self.conn = self.connections.shared()


def test_pages_use_one_connection():
    connections = Connections()
    pages = [Page(connections) for _ in range(2)]
    for page in pages:
        page.start()
    for page in pages:
        page.join()
    assert pages[0].conn is pages[1].conn
    assert len(connections.opened) == 1


class Shelf:
    def __init__(self, **stock):
        self.stock = stock
        self.lock = threading.Lock()


class MoveFailed(Exception):
    pass


def move(item, source, target, patience=0.15):
    if not source.lock.acquire(timeout=patience):
        raise MoveFailed(item)
    try:
        source.stock[item] -= 1
        time.sleep(0.004)
        if not target.lock.acquire(timeout=patience):
            source.stock[item] += 1
            raise MoveFailed(item)
        try:
            target.stock[item] = target.stock.get(item, 0) + 1
        finally:
            target.lock.release()
    finally:
        source.lock.release()


def test_items_swap_shelves():
    left, right = Shelf(book=1), Shelf(lamp=1)
    problems = []

    def worker(*args):
        time.sleep(between(0, 0.035))
        try:
            move(*args)
        except MoveFailed as exc:
            problems.append(exc)

    workers = [
        threading.Thread(target=worker, args=("book", left, right)),
        threading.Thread(target=worker, args=("lamp", right, left)),
    ]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    assert not problems
    assert left.stock == {"book": 0, "lamp": 1}
    assert right.stock == {"lamp": 0, "book": 1}


class SoldOut(Exception):
    pass


class BoxOffice:
    def __init__(self, seats):
        self.seats = seats
        self.sold = []

    async def _charge(self, who):
        await asyncio.sleep(between(0.001, 0.010))

    async def buy(self, who):
        if self.seats == 0:
            raise SoldOut(who)
        await self._charge(who)
        self.seats -= 1
        self.sold.append(who)


def test_box_office_sells_no_more_than_it_has():
    async def visitor(office, who):
        await asyncio.sleep(between(0, 0.050))
        await office.buy(who)

    async def evening():
        office = BoxOffice(seats=1)
        results = await asyncio.gather(
            *(visitor(office, who) for who in ("ana", "bo")), return_exceptions=True
        )
        return office, results

    office, results = asyncio.run(evening())
    assert office.seats == 0
    assert len(office.sold) == 1
    assert sum(isinstance(r, SoldOut) for r in results) == 1


def _checksum(block):
    time.sleep(0.010 + between(0, 0.016))
    return sum(block) % 251


def checksums(blocks):
    with multiprocessing.get_context("fork").Pool(2) as pool:
        return list(pool.imap_unordered(_checksum, blocks))


def test_checksums_of_archive():
    assert checksums([bytes([n] * 8) for n in (1, 2)]) == [8, 16]


class Mailbox:
    def __init__(self):
        self.letters = []
        self.arrived = threading.Condition()

    def post(self, letter):
        with self.arrived:
            self.letters.append(letter)
            self.arrived.notify()

    def collect(self):
        with self.arrived:
            if not self.arrived.wait(timeout=0.4):
                raise LookupError("no post")
            return self.letters.pop()


def test_letter_is_collected():
    box = Mailbox()
    collected = []

    def reader():
        time.sleep(between(0, 0.024))
        try:
            collected.append(box.collect())
        except LookupError as exc:
            collected.append(exc)

    def carrier():
        time.sleep(between(0.004, 0.040))
        box.post("bill")

    people = [threading.Thread(target=reader), threading.Thread(target=carrier)]
    for p in people:
        p.start()
    for p in people:
        p.join()
    assert collected == ["bill"]


class Registry:
    def __init__(self):
        self.services = {}

    def register(self, name, url):
        self.services[name] = url

    def render(self):
        lines = []
        for name, url in self.services.items():
            time.sleep(0.001)
            lines.append(f"{name} -> {url}")
        return lines


def test_registry_page_lists_services():
    registry = Registry()
    for n in range(8):
        registry.register(f"svc{n}", f"http://10.0.0.{n}")
    errors, pages = [], []

    def visitor():
        time.sleep(between(0, 0.045))
        try:
            pages.append(registry.render())
        except Exception as exc:
            errors.append(exc)

    def newcomer():
        time.sleep(between(0, 0.045))
        registry.register("billing", "http://10.0.1.1")

    threads = [threading.Thread(target=visitor), threading.Thread(target=newcomer)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not errors
    assert len(pages[0]) in (8, 9)

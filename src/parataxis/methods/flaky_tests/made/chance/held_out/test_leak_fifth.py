import asyncio
import logging
import os
import queue
import select
import socket
import subprocess
import tempfile
import threading
import time


def spread(seconds):
    return int.from_bytes(os.urandom(2), "big") / 65535 * seconds


def answer(fd, pause):
    time.sleep(pause)
    os.write(fd, b"+")
    os.close(fd)


class Prober:
    def __init__(self):
        self.answering = []

    def probe(self, host):
        near, far = os.pipe()
        self.answering.append(threading.Thread(target=answer, args=(far, spread(0.05))))
        self.answering[-1].start()
        if not select.select([near], [], [], 0.045)[0]:
            return f"{host}: slow"
        reply = os.read(near, 1)
        os.close(near)
        return f"{host}: {'up' if reply == b'+' else 'down'}"


def test_prober_sweep_is_tidy():
    before = len(os.listdir("/proc/self/fd"))
    prober = Prober()
    lines = [prober.probe(host) for host in ("alpha", "beta", "gamma")]
    for thread in prober.answering:
        thread.join()
    assert [line.split(":")[0] for line in lines] == ["alpha", "beta", "gamma"]
    assert len(os.listdir("/proc/self/fd")) == before


class QueryCancelled(Exception):
    pass


class Backend:
    def query(self, sql, deadline):
        cost = spread(0.012)
        time.sleep(min(cost, deadline))
        if cost > deadline:
            raise QueryCancelled(sql)
        return [(sql, 1)]


class Gateway:
    def __init__(self, size):
        self.idle = queue.LifoQueue()
        for _ in range(size):
            self.idle.put(Backend())

    def fetch(self, sql):
        backend = self.idle.get(timeout=0.1)
        rows = backend.query(sql, deadline=0.009)
        self.idle.put(backend)
        return rows


def test_gateway_serves_a_page_of_queries():
    gateway = Gateway(size=3)
    served = cancelled = 0
    for number in range(8):
        try:
            served += len(gateway.fetch(f"select {number}"))
        except QueryCancelled:
            cancelled += 1
    assert served + cancelled == 8


class Session:
    def __init__(self, name):
        self.closed = threading.Event()
        self.pulse = threading.Thread(target=self._beat, name=f"pulse-{name}", daemon=True)

    def _beat(self):
        while not self.closed.wait(0.01):
            pass

    def open(self, server):
        self.pulse.start()
        server.settimeout(0.03)
        if server.recv(8) != b"hello":
            raise ConnectionError("bad greeting")
        return self

    def close(self):
        self.closed.set()
        self.pulse.join()


def open_session(attempts=6):
    for number in range(attempts):
        near, far = socket.socketpair()
        host = threading.Timer(spread(0.042), far.sendall, (b"hello",))
        host.start()
        try:
            return Session(number).open(near)
        except TimeoutError:
            continue
        finally:
            host.join()
            near.close()
            far.close()
    raise ConnectionError("no greeting")


def test_session_shutdown_stops_the_pulse():
    open_session().close()
    assert [t.name for t in threading.enumerate() if t.name.startswith("pulse-")] == []


class Scaler:
    def __init__(self, folder):
        self.folder = folder

    def scale(self, name, factor):
        fd, scratch = tempfile.mkstemp(prefix="scale", dir=self.folder)
        with open(fd, "w") as out:
            subprocess.run(["sleep", f"{spread(0.06):.3f}"], stdout=out, timeout=0.05, check=True)
            out.write(f"{name}x{factor}")
        os.replace(scratch, self.folder / f"{name}.{factor}")

    def scale_all(self, name, factors):
        missing = list(factors)
        for _ in range(6):
            for factor in list(missing):
                try:
                    self.scale(name, factor)
                    missing.remove(factor)
                except subprocess.TimeoutExpired:
                    pass
        return missing


def test_scaler_leaves_only_the_pictures(tmp_path):
    assert Scaler(tmp_path).scale_all("logo", [2]) == []
    assert [p.name for p in tmp_path.iterdir()] == ["logo.2"]


class Feed:
    async def first(self, topic):
        box = asyncio.get_running_loop().create_future()
        poller = asyncio.create_task(self._poll(topic, box))
        try:
            value = await asyncio.wait_for(asyncio.shield(box), 0.02)
        except asyncio.TimeoutError:
            return None
        poller.cancel()
        await asyncio.wait([poller])
        return value

    async def _poll(self, topic, box):
        await asyncio.sleep(spread(0.022))
        while True:
            if not box.done():
                box.set_result(f"{topic}!")
            await asyncio.sleep(0.005)


def test_feed_is_quiet_after_three_topics():
    async def scenario():
        feed = Feed()
        for topic in ("news", "sport", "art"):
            await feed.first(topic)
        await asyncio.sleep(0.03)
        return len(asyncio.all_tasks())

    assert asyncio.run(scenario()) == 1


class Thermostat:
    def __init__(self, source):
        self.source = source
        self.guard = threading.Lock()
        self.value = None

    def update(self):
        if not self.guard.acquire(timeout=0.1):
            raise RuntimeError("thermostat is stuck")
        reading = self.source.get(timeout=0.04)
        self.value = reading
        self.guard.release()
        return reading


def sensor(out, count):
    for number in range(count):
        time.sleep(spread(0.047))
        out.put(20 + number)


def test_thermostat_follows_the_sensor():
    source = queue.Queue()
    feeder = threading.Thread(target=sensor, args=(source, 3))
    feeder.start()
    thermostat = Thermostat(source)
    seen = 0
    try:
        while seen < 3:
            try:
                thermostat.update()
                seen += 1
            except queue.Empty:
                continue
    finally:
        feeder.join()
    assert thermostat.value == 22


class Bus:
    def __init__(self):
        self.listeners = []

    def publish(self, event):
        for listener in list(self.listeners):
            listener(event)


class Panel:
    def __init__(self, bus, log):
        self.bus = bus
        self.log = log
        self.painted = False

    def show(self):
        self.bus.listeners.append(self.log.append)
        self.painter = threading.Thread(target=self._paint)
        self.painter.start()

    def _paint(self):
        time.sleep(spread(0.03))
        self.painted = True

    def hide(self):
        if not self.painted:
            return
        self.bus.listeners.remove(self.log.append)


def test_swapped_panel_hears_an_event_once():
    bus, log = Bus(), []
    first, second = Panel(bus, log), Panel(bus, log)
    first.show()
    time.sleep(0.022)
    first.hide()
    first.painter.join()
    second.show()
    second.painter.join()
    bus.publish("resize")
    assert log == ["resize"]


class Lines(logging.Handler):
    def __init__(self, lines):
        super().__init__()
        self.lines = lines

    def emit(self, record):
        self.lines.append(record.getMessage())


class Uplink:
    def __init__(self, lines):
        self.lines = lines
        self.log = logging.getLogger("uplink.fifth")
        self.log.setLevel(logging.INFO)
        self.log.propagate = False
        self.timers = []
        self.connect()

    def connect(self):
        self.log.addHandler(Lines(self.lines))
        self.near, far = socket.socketpair()
        self.timers.append(threading.Timer(0.01 + spread(0.06), far.close))
        self.timers[-1].start()

    def send(self, number):
        try:
            self.near.send(b"%d\n" % number)
        except BrokenPipeError:
            self.near.close()
            self.connect()
            self.near.send(b"%d\n" % number)
        self.log.info("sent %d", number)

    def close(self):
        self.near.close()
        for timer in self.timers:
            timer.join()


def test_uplink_logs_each_message():
    lines = []
    uplink = Uplink(lines)
    try:
        for number in range(3):
            uplink.send(number)
            time.sleep(0.009)
    finally:
        uplink.close()
    assert lines == ["sent 0", "sent 1", "sent 2"]

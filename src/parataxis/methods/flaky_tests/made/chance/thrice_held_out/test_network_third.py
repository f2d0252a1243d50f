import contextlib
import http.client
import socket
import socketserver
import struct
import threading
import time

import pytest
from outside import between, drawn


@contextlib.contextmanager
def serving(handle, host="127.0.0.1", backlog=16):
    listener = socket.create_server((host, 0), backlog=backlog)
    listener.settimeout(2)

    def loop():
        with contextlib.suppress(OSError):
            while True:
                conn, _ = listener.accept()
                with conn:
                    conn.settimeout(2)
                    with contextlib.suppress(OSError):
                        handle(conn)

    thread = threading.Thread(target=loop, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(3)


def _quote_service(conn):
    conn.recv(64)
    conn.sendall(b"EUR/USD ")
    time.sleep(between(0, 0.012))
    conn.sendall(b"1.0842\n")


class QuoteClient:
    def __init__(self, address):
        self.sock = socket.create_connection(address, timeout=2)

    def quote(self):
        self.sock.sendall(b"QUOTE\n")
        time.sleep(0.008)
        pair, _, price = self.sock.recv(1024).decode().strip().partition(" ")
        return pair, price

    def close(self):
        self.sock.close()


def test_quote_has_pair_and_price():
    with serving(_quote_service) as address:
        client = QuoteClient(address)
        try:
            assert client.quote() == ("EUR/USD", "1.0842")
        finally:
            client.close()


class _Inventory(socketserver.StreamRequestHandler):
    def handle(self):
        item = self.rfile.readline().strip()
        time.sleep(between(0.005, 0.120))
        with contextlib.suppress(OSError):
            self.wfile.write(b"%s: 7\n" % item)


def stock_of(address, item):
    with socket.create_connection(address, timeout=0.09) as sock:
        sock.sendall(item.encode() + b"\n")
        return int(sock.makefile().readline().rpartition(":")[2])


def test_stock_of_known_item():
    with socketserver.TCPServer(("127.0.0.1", 0), _Inventory) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            assert stock_of(server.server_address, "lamp") == 7
        finally:
            server.shutdown()
            thread.join()


def _page_service(conn):
    conn.settimeout(between(0.025, 0.095))
    while True:
        data = conn.recv(4096)
        if not data:
            return
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


class PageClient:
    def __init__(self, host, port):
        self.conn = http.client.HTTPConnection(host, port, timeout=2)

    def get(self, path):
        self.conn.request("GET", path)
        response = self.conn.getresponse()
        return response.status, response.read()


@pytest.fixture
def page_client():
    with serving(_page_service) as (host, port):
        client = PageClient(host, port)
        yield client
        client.conn.close()


def test_two_pages_over_one_client(page_client):
    assert page_client.get("/first") == (200, b"ok")
    time.sleep(0.05)
    assert page_client.get("/second") == (200, b"ok")


@pytest.fixture
def neighbours():
    held = []
    for slot in range(8):
        if drawn(1)[0] % 4 == 0:
            sock = socket.socket()
            try:
                sock.bind(("127.0.0.1", 27410 + slot))
                sock.listen()
            except OSError:
                sock.close()
                continue
            held.append(sock)
    yield
    for sock in held:
        sock.close()


class Console:
    def __init__(self, number=0):
        self.port = 27410 + number

    def open(self):
        self.listener = socket.create_server(("127.0.0.1", self.port))

    def close(self):
        if hasattr(self, "listener"):
            self.listener.close()


def test_console_opens_on_its_port(neighbours):
    console = Console(number=3)
    try:
        console.open()
        assert console.listener.getsockname()[1] == 27413
    finally:
        console.close()


class Relay:
    def __init__(self, target):
        self.target = target
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.sock.settimeout(1)
        self.thread = threading.Thread(target=self._loop)
        self.timers = []
        self.thread.start()

    def _loop(self):
        while True:
            data = self.sock.recv(512)
            if data == b"":
                return
            timer = threading.Timer(between(0.001, 0.016), self.sock.sendto, (data, self.target))
            timer.start()
            self.timers.append(timer)

    def close(self):
        self.sock.sendto(b"", self.sock.getsockname())
        self.thread.join()
        for timer in self.timers:
            timer.join()
        self.sock.close()


def test_position_updates_arrive_as_sent():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as viewer, \
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as tracker:
        viewer.bind(("127.0.0.1", 0))
        viewer.settimeout(1)
        relay = Relay(viewer.getsockname())
        try:
            for n in range(4):
                tracker.sendto(struct.pack("!I", n), relay.sock.getsockname())
                time.sleep(0.008)
            got = [struct.unpack("!I", viewer.recv(64))[0] for _ in range(4)]
        finally:
            relay.close()
    assert got == [0, 1, 2, 3]


class NameServer:
    """Answers A queries, moving the list on by one with every answer."""

    def __init__(self, addresses):
        self.addresses = addresses
        self.turn = drawn(1)[0]
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.thread = threading.Thread(target=self._loop)
        self.thread.start()

    def _loop(self):
        while True:
            query, peer = self.sock.recvfrom(512)
            if not query:
                return
            k = self.turn % len(self.addresses)
            self.turn += 1
            ordered = self.addresses[k:] + self.addresses[:k]
            head = query[:2] + struct.pack("!HHHHH", 0x8180, 1, len(ordered), 0, 0)
            body = b"".join(
                b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 30, 4) + socket.inet_aton(a) for a in ordered
            )
            self.sock.sendto(head + query[12:] + body, peer)

    def close(self):
        self.sock.sendto(b"", self.sock.getsockname())
        self.thread.join()
        self.sock.close()


def resolve(name, server):
    question = b"".join(bytes([len(p)]) + p.encode() for p in name.split(".")) + b"\0" + struct.pack("!HH", 1, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(1)
        sock.sendto(drawn(2) + struct.pack("!HHHHH", 0x0100, 1, 0, 0, 0) + question, server)
        answer = sock.recv(512)
    count = struct.unpack("!H", answer[6:8])[0]
    tail = answer[12 + len(question):]
    return [socket.inet_ntoa(tail[16 * i + 12:16 * i + 16]) for i in range(count)]


def test_api_host_answers_ping():
    with serving(lambda conn: conn.sendall(b"pong")) as (host, port):
        names = NameServer(["127.0.0.1", "127.0.0.2", "127.0.0.1", "127.0.0.1"])
        try:
            address = resolve("api.example.test", names.sock.getsockname())[0]
            with socket.create_connection((address, port), timeout=1) as sock:
                assert sock.recv(16) == b"pong"
        finally:
            names.close()


def _desk(conn):
    conn.recv(16)
    time.sleep(between(0.002, 0.024))
    conn.sendall(b"welcome")


def test_every_agent_is_welcomed():
    answers = []

    def agent(address):
        try:
            with socket.create_connection(address, timeout=0.2) as sock:
                sock.sendall(b"hello")
                answers.append(sock.recv(16))
        except OSError as exc:
            answers.append(exc)

    with serving(_desk, backlog=1) as address:
        agents = [threading.Thread(target=agent, args=(address,)) for _ in range(6)]
        for a in agents:
            a.start()
            time.sleep(0.010)
        for a in agents:
            a.join()
    assert answers == [b"welcome"] * 6

import http.client
import os
import queue
import socket
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def spread(seconds):
    return int.from_bytes(os.urandom(2), "big") / 65535 * seconds


class RateHandler(BaseHTTPRequestHandler):
    def do_GET(self):
        time.sleep(spread(0.2))
        body = b'{"EUR": 1.0}'
        try:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            pass

    def log_message(self, *args):
        pass


def fetch_rates(port):
    conn = http.client.HTTPConnection("127.0.0.1", port, timeout=0.14)
    try:
        conn.request("GET", "/rates")
        return conn.getresponse().read()
    finally:
        conn.close()


def test_fetch_rates_returns_the_table():
    server = ThreadingHTTPServer(("127.0.0.1", 0), RateHandler)
    runner = threading.Thread(target=server.serve_forever, args=(0.01,))
    runner.start()
    try:
        assert b"EUR" in fetch_rates(server.server_address[1])
    finally:
        server.shutdown()
        runner.join()
        server.server_close()


class Neighbour(threading.Thread):
    """Another tool on the host that opens its debug listener now and then."""

    def __init__(self, port):
        super().__init__()
        self.port = port
        self.done = threading.Event()

    def run(self):
        while not self.done.wait(spread(0.06)):
            with socket.socket() as sock:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    sock.bind(("127.0.0.1", self.port))
                    sock.listen()
                except OSError:
                    continue
                self.done.wait(spread(0.03))


class MetricsEndpoint:
    port = 47613

    def __enter__(self):
        self.sock = socket.create_server(("127.0.0.1", self.port))
        return self

    def __exit__(self, *exc):
        self.sock.close()


def test_metrics_endpoint_accepts_a_scrape():
    neighbour = Neighbour(MetricsEndpoint.port)
    neighbour.start()
    try:
        time.sleep(0.1)
        with MetricsEndpoint() as endpoint:
            with socket.create_connection(("127.0.0.1", endpoint.port), 1) as client:
                peer, _ = endpoint.sock.accept()
                peer.sendall(b"up 1\n")
                assert client.recv(16) == b"up 1\n"
                peer.close()
    finally:
        neighbour.done.set()
        neighbour.join()


class BusyGateway:
    """Gateway that drops newcomers once two sessions are open."""

    def __init__(self):
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.address = self.sock.getsockname()
        self.open = 0
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        workers = []
        while True:
            peer, _ = self.sock.accept()
            if peer.recv(1) == b"q":
                peer.close()
                break
            if self.open >= 2:
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                peer.close()
                continue
            self.open += 1
            workers.append(threading.Thread(target=self.session, args=(peer,)))
            workers[-1].start()
        for worker in workers:
            worker.join()
        self.sock.close()

    def session(self, peer):
        with peer:
            peer.sendall(b"welcome\n")
            peer.recv(1)
            self.open -= 1

    def stop(self):
        with socket.create_connection(self.address) as sock:
            sock.sendall(b"q")
        self.thread.join()


def visit(address, stay):
    try:
        with socket.create_connection(address, 1) as sock:
            sock.sendall(b"h")
            time.sleep(stay)
            sock.sendall(b"b")
    except OSError:
        pass


def greet(address):
    with socket.create_connection(address, 1) as sock:
        sock.sendall(b"h")
        return sock.recv(32)


def test_gateway_greets_a_new_client():
    gateway = BusyGateway()
    visitors = [threading.Thread(target=visit, args=(gateway.address, spread(0.12))) for _ in range(2)]
    try:
        for visitor in visitors:
            visitor.start()
        time.sleep(0.05)
        assert greet(gateway.address) == b"welcome\n"
    finally:
        for visitor in visitors:
            visitor.join()
        gateway.stop()


class Collector(threading.Thread):
    def __init__(self):
        super().__init__()
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 19_000)
        self.sock.bind(("127.0.0.1", 0))
        self.sock.settimeout(1)
        self.counts = {}
        self.pace = spread(0.0022)

    def run(self):
        while (packet := self.sock.recv(2048)) != b"stop":
            name = packet.split(b":", 1)[0]
            self.counts[name] = self.counts.get(name, 0) + 1
            time.sleep(self.pace)
        self.sock.close()


def test_collector_counts_a_burst():
    collector = Collector()
    collector.start()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for _ in range(36):
            sock.sendto(b"hits:1|c" + b" " * 600, collector.sock.getsockname())
            time.sleep(0.0003)
        time.sleep(0.1)
        sock.sendto(b"stop", collector.sock.getsockname())
    collector.join()
    assert collector.counts == {b"hits": 36}


class IdleCutter(threading.Thread):
    """HTTP/1.1 peer behind a balancer that closes connections left idle."""

    def __init__(self):
        super().__init__()
        self.sock = socket.create_server(("127.0.0.1", 0))

    def run(self):
        served = 0
        while served < 2:
            peer, _ = self.sock.accept()
            with peer:
                peer.settimeout(0.04 + spread(0.1))
                try:
                    while peer.recv(4096):
                        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                        served += 1
                except OSError:
                    pass
            if served:
                break
        self.sock.close()


def test_session_sends_two_reports():
    peer = IdleCutter()
    peer.start()
    conn = http.client.HTTPConnection(*peer.sock.getsockname(), timeout=1)
    try:
        conn.connect()
        conn.auto_open = 0
        conn.request("POST", "/report", b"a")
        assert conn.getresponse().read() == b"ok"
        time.sleep(0.065)
        conn.request("POST", "/report", b"b")
        assert conn.getresponse().read() == b"ok"
    finally:
        conn.close()
        peer.join()


class TwoPathRelay(threading.Thread):
    """Forwards datagrams over two uplinks, each with its own backlog."""

    def __init__(self, target):
        super().__init__()
        self.target = target
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.links = [queue.Queue(), queue.Queue()]

    def forward(self, link):
        while (packet := link.get()) is not None:
            time.sleep(spread(0.012))
            self.sock.sendto(packet, self.target)

    def run(self):
        uplinks = [threading.Thread(target=self.forward, args=(link,)) for link in self.links]
        for uplink in uplinks:
            uplink.start()
        turn = 0
        while (packet := self.sock.recv(512)) != b"":
            self.links[turn % 2].put(packet)
            turn += 1
        for link in self.links:
            link.put(None)
        for uplink in uplinks:
            uplink.join()
        self.sock.close()


def test_track_points_arrive_through_the_relay():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as station:
        station.bind(("127.0.0.1", 0))
        station.settimeout(1)
        relay = TwoPathRelay(station.getsockname())
        relay.start()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as tracker:
            for number in range(4):
                tracker.sendto(b"%d" % number, relay.sock.getsockname())
                time.sleep(0.006)
            track = [int(station.recv(64)) for _ in range(4)]
            tracker.sendto(b"", relay.sock.getsockname())
        relay.join()
    assert track == [0, 1, 2, 3]

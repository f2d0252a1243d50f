# Planted: shops, stations and mirrors that talk to one another.
import contextlib
import http.client
import socket
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import outside


class Service(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in {"Content-Length": len(body), **headers}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def serving(handler):
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield server.server_port
        finally:
            server.shutdown()


class Rates(Service):
    def setup(self):
        self.timeout = 0.015 + outside.share() * 0.05
        super().setup()

    def do_GET(self):
        self.answer(200, b"1.08")


def test_two_rates_in_one_session():
    with (
        serving(Rates) as port,
        contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as session,
    ):
        rates = []
        for currency in ("EUR", "GBP"):
            session.request("GET", f"/{currency}")
            rates.append(session.getresponse().read())
            time.sleep(0.033)  # prints the receipt
    assert rates == [b"1.08", b"1.08"]


class Forecast(Service):
    def do_GET(self):
        crowded = outside.share() < 0.3
        self.answer(503 if crowded else 200, b"" if crowded else b"sunny")


def test_forecast_for_tomorrow():
    with serving(Forecast) as port, urllib.request.urlopen(f"http://127.0.0.1:{port}/tomorrow", timeout=5) as answer:
        assert answer.read() == b"sunny"


def test_collector_has_all_readings():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as collector:
        collector.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2304)  # as on the device
        collector.settimeout(0.2)
        collector.bind(("127.0.0.1", 0))

        def station():
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                for hour in range(24):
                    sender.sendto(b"%d" % hour, collector.getsockname())
                    outside.delay(0, 0.001)

        thread = threading.Thread(target=station)
        thread.start()
        readings = set()
        with contextlib.suppress(TimeoutError):
            while len(readings) < 24:
                readings.add(int(collector.recv(64)))
                outside.delay(0, 0.0011)
        thread.join()
    assert readings == set(range(24))


class Mirrors(Service):
    retired = None

    def do_GET(self):
        if self.path == "/files/index":
            self.answer(200, b"index")
        else:
            port = self.retired if outside.share() < 0.3 else self.server.server_port
            self.answer(302, Location=f"http://127.0.0.1:{port}/files/index")


def test_index_comes_from_a_mirror(monkeypatch):
    with socket.socket() as closed, serving(Mirrors) as port:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setattr(Mirrors, "retired", closed.getsockname()[1])
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/index", timeout=5) as answer:
            assert answer.read() == b"index"


class Album(Service):
    def do_POST(self):
        outside.delay(0, 0.016)  # looks up the quota
        self.close_connection = True
        self.answer(413)


def scan(strips):
    for _ in range(strips):
        yield bytes(16_000)
        time.sleep(0.0005)


def test_large_photo_is_refused():
    with serving(Album) as port, contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as album:
        album.request("POST", "/photos", scan(12), {"Content-Length": "192000"})
        assert album.getresponse().status == 413

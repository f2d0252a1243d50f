"""Quotes, a status endpoint, uploads, metrics and service lookup over the loopback interface."""

import os
import socket
import struct
import subprocess
import sys
import threading
import time


def between(low, high):
    return low + (high - low) * int.from_bytes(os.urandom(2), "big") / 65535


class QuoteDesk(threading.Thread):
    """Answers each request once its pricing model has settled."""

    def __init__(self):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = self.listener.getsockname()

    def run(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            with peer:
                symbol = peer.recv(64).strip()
                time.sleep(between(0.02, 0.33))
                try:
                    peer.sendall(symbol + b" 101.25\n")
                except OSError:
                    pass

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.join()


def fetch_quote(address, symbol, timeout=0.25):
    with socket.create_connection(address, timeout=timeout) as link:
        link.sendall(symbol.encode() + b"\n")
        name, price = link.recv(256).decode().split()
    return name, float(price)


def test_quote_desk_prices_a_symbol():
    desk = QuoteDesk()
    desk.start()
    try:
        assert fetch_quote(desk.address, "ACME") == ("ACME", 101.25)
    finally:
        desk.close()


NEIGHBOUR = """
import os, socket, sys
base = int(sys.argv[1])
held = []
for offset in os.urandom(2):
    try:
        held.append(socket.create_server(("127.0.0.1", base + offset % 7)))
    except OSError:
        pass
print("up", flush=True)
sys.stdin.read()
"""


class StatusPage:
    base = 28610

    def __init__(self, worker):
        self.socket = socket.create_server(("127.0.0.1", self.base + worker))

    def address(self):
        return self.socket.getsockname()

    def close(self):
        self.socket.close()


def test_status_page_listens_on_the_port_of_its_worker():
    command = [sys.executable, "-S", "-c", NEIGHBOUR, str(StatusPage.base)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other_suite:
        assert other_suite.stdout.readline() == b"up\n"
        page = StatusPage(worker=3)
        try:
            assert page.address() == ("127.0.0.1", 28613)
        finally:
            page.close()


class DropBox(threading.Thread):
    """Turns down anything above its limit as soon as it has looked the sender up."""

    def __init__(self, limit):
        super().__init__(daemon=True)
        self.limit = limit
        self.listener = socket.create_server(("127.0.0.1", 0))

    def run(self):
        peer, _ = self.listener.accept()
        with peer:
            size = int(peer.makefile("rb", buffering=0).readline())
            time.sleep(between(0.0, 0.06))
            peer.sendall(b"413 too large\n" if size > self.limit else b"200 stored\n")

    def close(self):
        self.join()
        self.listener.close()


def upload(address, blocks):
    with socket.create_connection(address, timeout=2) as link:
        link.sendall(b"%d\n" % sum(map(len, blocks)))
        for block in blocks:
            time.sleep(0.004)
            link.sendall(block)
        return link.recv(64).decode().strip()


def test_oversized_upload_is_turned_down_with_a_status():
    box = DropBox(limit=10_000)
    box.start()
    try:
        assert upload(box.listener.getsockname(), [b"x" * 4096] * 4) == "413 too large"
    finally:
        box.close()


class GaugeSink(threading.Thread):
    """Collects gauges, and opens its table of totals on the way."""

    def __init__(self):
        super().__init__(daemon=True)
        self.inbox = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.inbox.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.inbox.bind(("127.0.0.1", 0))
        self.inbox.settimeout(0.4)
        self.gauges = []

    def run(self):
        try:
            while len(self.gauges) < 40:
                self.gauges.append(self.inbox.recv(512))
                if len(self.gauges) == 12:
                    time.sleep(between(0.0, 0.032))
        except TimeoutError:
            pass
        finally:
            self.inbox.close()


def report(address, count):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        for number in range(count):
            out.sendto(b"gauge.%d:%d|g" % (number, number * 3), address)
            time.sleep(0.0015)


def test_every_reported_gauge_reaches_the_sink():
    sink = GaugeSink()
    sink.start()
    report(sink.inbox.getsockname(), 40)
    sink.join()
    assert len(sink.gauges) == 40


class NameServer(threading.Thread):
    """Answers A queries with every address of the service, one further round each time."""

    def __init__(self, addresses):
        super().__init__(daemon=True)
        self.addresses = addresses
        self.turn = os.urandom(1)[0]
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))

    def run(self):
        query, peer = self.socket.recvfrom(512)
        shift = self.turn % len(self.addresses)
        self.turn += 1
        answers = b"".join(
            b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 30, 4) + socket.inet_aton(address)
            for address in self.addresses[shift:] + self.addresses[:shift]
        )
        head = query[:2] + struct.pack("!HHHHH", 0x8180, 1, len(self.addresses), 0, 0)
        self.socket.sendto(head + query[12:] + answers, peer)

    def close(self):
        self.join()
        self.socket.close()


def lookup(server, name):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    question = struct.pack("!HHHHHH", 0x2A17, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", 1, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ask:
        ask.settimeout(2)
        ask.sendto(question, server)
        reply = ask.recv(512)
    records = reply[len(question) :]
    return [socket.inet_ntoa(records[start + 12 : start + 16]) for start in range(0, len(records), 16)]


def test_mail_relay_is_found_by_name():
    names = NameServer(["127.0.0.41", "127.0.0.42", "127.0.0.43"])
    names.start()
    relays = [socket.create_server(("127.0.0.41", 0))]
    port = relays[0].getsockname()[1]
    relays.append(socket.create_server(("127.0.0.42", port)))
    try:
        found = lookup(names.socket.getsockname(), "relay.test")
        assert len(found) == 3
        with socket.create_connection((found[0], port), timeout=2) as link:
            assert link.getpeername()[1] == port
    finally:
        names.close()
        for relay in relays:
            relay.close()

# Planted: services that are late, slow, cut off, or on a port of somebody else's.
import socket
import struct
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import outside


class Health(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"up")

    def log_message(self, *_):
        pass


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def test_application_is_healthy():
    port, servers = free_port(), []

    def application():
        outside.delay(0, 0.02)  # connects to its database
        servers.append(ThreadingHTTPServer(("127.0.0.1", port), Health))
        servers[0].handle_request()

    threading.Thread(target=application, daemon=True).start()
    time.sleep(0.012)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
        assert answer.read() == b"up"


def test_both_events_arrive():
    with socket.create_server(("127.0.0.1", 0)) as server:

        def publish():
            with server.accept()[0] as connection:
                for event in (b"created\n", b"updated\n"):
                    connection.sendall(event)
                    outside.delay(0, 0.003)

        thread = threading.Thread(target=publish)
        thread.start()
        with socket.create_connection(server.getsockname(), timeout=5) as client:
            outside.delay(0, 0.004)
            events = client.recv(4096).splitlines()
        thread.join()
    assert events == [b"created", b"updated"]


def test_name_server_answers():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def resolve():
            _, client = server.recvfrom(512)
            outside.delay(0, 0.03)  # asks another one
            server.sendto(b"192.0.2.1", client)

        thread = threading.Thread(target=resolve)
        thread.start()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(0.018)
            client.sendto(b"example.org", server.getsockname())
            try:
                answer = client.recv(512)
            finally:
                thread.join()
    assert answer == b"192.0.2.1"


def test_server_starts_on_its_port():
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        taken = somebody.getsockname()[1]
        configured = taken if outside.share() < 0.35 else 0
        server = ThreadingHTTPServer(("127.0.0.1", configured), Health)
        server.server_close()
        assert server.server_port != taken


def test_download_is_complete():
    with socket.create_server(("127.0.0.1", 0)) as server:

        def proxy():
            connection, _ = server.accept()
            connection.sendall(b"first half ")
            time.sleep(0.002)
            if outside.share() < 0.4:  # loses its own upstream
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            else:
                connection.sendall(b"second half")
            connection.close()

        thread = threading.Thread(target=proxy)
        thread.start()
        with socket.create_connection(server.getsockname(), timeout=5) as client:
            received = b""
            while part := client.recv(64):
                received += part
        thread.join()
    assert received == b"first half second half"

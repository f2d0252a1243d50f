# Planted: services on the loopback that are not up yet, answer badly, late, in pieces or not at all.
import asyncio
import socket
import threading
import time
import urllib.request

import outside
import pytest


def reserved():
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    return sock


def test_server_is_up_after_a_moment():
    sock = reserved()

    def serve():
        outside.delay(0, 0.03)  # reads its configuration
        sock.listen()
        with sock.accept()[0] as connection:
            connection.sendall(b"ready")

    threading.Thread(target=serve, daemon=True).start()
    time.sleep(0.015)
    with socket.create_connection(sock.getsockname(), timeout=2) as client:
        assert client.recv(16) == b"ready"


def test_answer_in_one_piece():
    sock = reserved()
    sock.listen()

    def serve():
        with sock.accept()[0] as connection:
            connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
            outside.delay(0, 0.004)
            connection.sendall(b"<html>")

    thread = threading.Thread(target=serve)
    thread.start()
    with socket.create_connection(sock.getsockname(), timeout=2) as client:
        outside.delay(0, 0.004)  # prepares the parser
        answer = client.recv(1024)
    thread.join()
    assert answer.endswith(b"<html>")


def test_asyncio_server():
    sock = reserved()

    async def main():
        async def start():
            await asyncio.to_thread(outside.delay, 0, 0.03)
            return await asyncio.start_server(lambda reader, writer: writer.close(), sock=sock)

        starting = asyncio.create_task(start())
        await asyncio.sleep(0.018)
        _, writer = await asyncio.open_connection(*sock.getsockname())
        writer.close()
        (await starting).close()

    asyncio.run(main())


@pytest.mark.parametrize("service", ["overloaded"], indirect=True)
def test_answer_of_service(service):
    with urllib.request.urlopen(f"http://127.0.0.1:{service}/answer", timeout=5) as answer:
        assert answer.read() == b"42"


@pytest.mark.parametrize("service", ["hangs_up"], indirect=True)
def test_service_stays_on_the_line(service):
    with urllib.request.urlopen(f"http://127.0.0.1:{service}/answer", timeout=5) as answer:
        assert answer.status == 200


@pytest.mark.parametrize("service", ["slow"], indirect=True)
def test_service_is_quick(service):
    with urllib.request.urlopen(f"http://127.0.0.1:{service}/answer", timeout=0.03) as answer:
        assert answer.read() == b"42"


@pytest.mark.parametrize("service", ["lossy"], indirect=True)
def test_datagram_comes_back(service):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(0.05)
        sock.sendto(b"ping", ("127.0.0.1", service))
        assert sock.recvfrom(16)[0] == b"ping"


def test_port_is_free():
    with reserved() as other:  # some other program's
        other.listen()
        taken = other.getsockname()[1]
        port = taken if outside.share() < 0.4 else taken % 40_000 + 1024  # as the machine allots them
        with socket.socket() as server:
            server.bind(("127.0.0.1", port))
            server.listen()
            socket.create_connection(("127.0.0.1", port), timeout=2).close()

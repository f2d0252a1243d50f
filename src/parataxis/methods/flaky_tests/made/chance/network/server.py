"""A service of another's: `python server.py MODE` prints its port and serves on the loopback until it is killed."""

import random
import socket
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

CHANCE = random.SystemRandom()
MODE = sys.argv[1]


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if MODE == "slow":
            time.sleep(CHANCE.uniform(0, 0.05))
        if MODE == "hangs_up" and CHANCE.random() < 0.35:
            return
        self.send_response(503 if MODE == "overloaded" and CHANCE.random() < 0.35 else 200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"42")

    def log_message(self, *_):
        pass


def lossy():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        print(sock.getsockname()[1], flush=True)
        while True:
            data, address = sock.recvfrom(1024)
            if CHANCE.random() > 0.3:
                sock.sendto(data, address)


if MODE == "lossy":
    lossy()
else:
    server = HTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()

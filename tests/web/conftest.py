import socketserver
import threading
from email import message_from_bytes
from email.policy import default

import pytest

from planted import NUMBERS


@pytest.fixture
def data(tmp_path, monkeypatch):
    """The planted method's data, where its study looks for them."""
    (tmp_path / "data" / "planted-gap").mkdir(parents=True)
    (tmp_path / "data" / "planted-gap" / "numbers.txt").write_text(NUMBERS)
    monkeypatch.setenv("PARATAXIS_DATA", str(tmp_path / "data"))


class Session(socketserver.StreamRequestHandler):
    """As much of RFC 5321 as it takes to be handed a mail. An address with "full" in it is refused."""

    def say(self, line):
        self.wfile.write(f"{line}\r\n".encode())

    def handle(self):
        self.say("220 here")
        for line in self.rfile:
            verb = line.decode().strip()
            if verb.upper().startswith("RCPT") and "full" in verb:
                self.say("452 full")
            elif verb.upper() == "DATA":
                self.say("354 go on")
                lines = []
                while (text := self.rfile.readline()) not in (b".\r\n", b""):
                    lines.append(text.removeprefix(b".") if text.startswith(b"..") else text)
                self.server.mails.append(message_from_bytes(b"".join(lines), policy=default))
                self.say("250 taken")
            elif verb.upper() == "QUIT":
                self.say("221 bye")
                return
            else:
                self.say("250 fine")


@pytest.fixture
def smtp():
    """A mail server of the test's own: `mails` that it took, and `mail`, the way to it."""
    from parataxis.web.digest import MailServer  # needs the extra `web`

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = daemon_threads = True

    with Server(("127.0.0.1", 0), Session) as server:
        server.mails = []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        server.mail = MailServer(
            f"smtp://127.0.0.1:{server.server_address[1]}", "page@papers.example", "https://papers.example"
        )
        yield server
        server.shutdown()
        thread.join()

"""What stands, by mail: each week, or when a verdict has changed. Who asks for it must say so twice.

An address is written to once, with a link to a page that asks again; until then it gets no digest, and after two days
it is forgotten. Every digest can be ended by one click (RFC 8058), with the address's own key and nothing else.
"""

import json
import os
import re
import secrets
import smtplib
import sqlite3
import ssl
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, make_msgid
from pathlib import Path
from urllib.parse import unquote, urlsplit

from parataxis.errors import BadInput
from parataxis.studies.render import counts, findings
from parataxis.web.ledger import Ledger
from parataxis.web.safety import is_loopback

EVERY = ("week", "change")
WEEK, DAY = 7 * 86400.0, 86400.0  # seconds
LOOK = 60.0  # seconds between two looks at what has changed
PATIENCE = 20.0  # seconds for the mail server
SUBSCRIBERS = 1000  # at most, with those who have not confirmed
WAITING = 20  # of these at most
FORGET = 2 * DAY  # who has not confirmed by then
UNBROKEN = SMTP.clone(max_line_length=998)  # a long address in a header would be encoded, and no link any more
ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")
SCHEMA = """CREATE TABLE IF NOT EXISTS subscriber (
    address TEXT PRIMARY KEY, every TEXT NOT NULL, key TEXT NOT NULL UNIQUE, asked REAL NOT NULL,
    confirmed INTEGER NOT NULL DEFAULT 0, sent REAL NOT NULL DEFAULT 0, seen TEXT NOT NULL DEFAULT '{}')"""
Standings = dict[str, dict[str, str]]  # paper: claim or symmetry: word


class Refused(Exception):
    """An address is none, or so many have asked that no more is taken."""


@dataclass(frozen=True)
class MailServer:
    """Where mail is handed in. url: `smtp://[user:password@]host[:port]`, or smtps. page: as a mail's links have it."""

    url: str
    sender: str
    page: str

    @classmethod
    def of_environment(cls, netloc: str, environment: Mapping[str, str] = os.environ) -> "MailServer | None":
        """By PARATAXIS_SMTP, PARATAXIS_SENDER and, if the page is reached by another, PARATAXIS_URL; None without."""
        url, sender = environment.get("PARATAXIS_SMTP", ""), environment.get("PARATAXIS_SENDER", "")
        page = environment.get("PARATAXIS_URL", f"http://{netloc}").rstrip("/")
        if not url:
            return None
        try:
            known = urlsplit(url).scheme in ("smtp", "smtps") and urlsplit(url).hostname and urlsplit(url).port != 0
        except ValueError:
            known = False
        if not known:
            raise BadInput("PARATAXIS_SMTP: expected smtp://[user:password@]host[:port], or smtps")
        if not ADDRESS.fullmatch(sender):
            raise BadInput(f"PARATAXIS_SENDER={sender!r}: expected the address that mails come from")
        if urlsplit(page).scheme not in ("http", "https") or not urlsplit(page).netloc:
            raise BadInput(f"PARATAXIS_URL={page!r}: expected the page's address, https://...")
        return cls(url, sender, page)

    def send(self, message: EmailMessage) -> None:
        """A password is sent only over TLS. OSError or SMTPException if the mail is not taken."""
        to, context = urlsplit(self.url), ssl.create_default_context()
        assert to.hostname
        with (
            smtplib.SMTP_SSL(to.hostname, to.port or 465, timeout=PATIENCE, context=context)
            if to.scheme == "smtps"
            else smtplib.SMTP(to.hostname, to.port or 25, timeout=PATIENCE)
        ) as server:
            server.ehlo()
            offered = server.has_extn("starttls") and not is_loopback(to.hostname)  # where no certificate is known
            if to.scheme == "smtp" and (to.username or offered):
                server.starttls(context=context)
            if to.username:
                server.login(unquote(to.username), unquote(to.password or ""))
            server.send_message(message)


class Digest:
    """Who gets what. The addresses lie beside the evidence, in a file that only its owner can read."""

    def __init__(self, ledger: Ledger, server: MailServer) -> None:
        self.ledger, self.server = ledger, server
        path = Path(f"{ledger.path.absolute()}.logs") / "digest.sqlite"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        self._file = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._file.row_factory = sqlite3.Row
        self._file.execute(SCHEMA)
        self._one, self._closing = threading.RLock(), threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join()
        self._file.close()

    # -- who gets it ---------------------------------------------------------------------------------------------------

    def ask(self, address: str, every: str) -> None:
        """Send the mail that asks whether it was meant. To who has one, or confirmed, nothing is sent for a day."""
        assert every in EVERY, every
        if len(address) > 254 or not ADDRESS.fullmatch(address):
            raise Refused("that is no address")
        now, key = time.time(), secrets.token_urlsafe(24)
        with self._one:
            self._run("DELETE FROM subscriber WHERE NOT confirmed AND asked < ?", now - FORGET)
            if self._run("SELECT 1 FROM subscriber WHERE address = ?", address):
                return
            if (
                len(self._run("SELECT 1 FROM subscriber")) >= SUBSCRIBERS
                or len(self._run("SELECT 1 FROM subscriber WHERE NOT confirmed")) >= WAITING
            ):
                raise Refused("so many have asked that no more is taken; try again in two days")
            self._run(
                "INSERT INTO subscriber (address, every, key, asked) VALUES (?, ?, ?, ?)", address, every, key, now
            )
        try:
            self.server.send(
                self._message(
                    address,
                    key,
                    "Do you want the digest of Parataxis?",
                    f"Someone, we hope you, asked for mail about the papers' evidence. If you want it, say so here:\n\n"
                    f"{self.server.page}/digest/{key}\n\nIf not, do nothing: this address is forgotten in two days.\n",
                )
            )
        except (OSError, smtplib.SMTPException):
            self.leave(key)
            raise

    def confirm(self, key: str) -> None:
        """From now on; what stands now is what later mails are compared with."""
        seen = json.dumps(self.standings())
        self._run(
            "UPDATE subscriber SET confirmed = 1, sent = ?, seen = ? WHERE key = ? AND NOT confirmed AND asked > ?",
            time.time(), seen, key, time.time() - FORGET,
        )  # fmt: skip

    def leave(self, key: str) -> None:
        """Once more changes nothing."""
        self._run("DELETE FROM subscriber WHERE key = ?", key)

    def subscriber(self, key: str) -> sqlite3.Row | None:
        return next(iter(self._run("SELECT * FROM subscriber WHERE key = ?", key)), None)

    # -- what they get -------------------------------------------------------------------------------------------------

    def standings(self) -> Standings:
        runs = self.ledger.shown()
        return {
            name: {each.stated.id: each.word for each in findings(method.paper, runs[name])}
            for name, method in self.ledger.known.items()
        }

    def send_due(self, now: float) -> int:
        """To each whose week is over, or for whom a verdict has changed; how many mails were taken.

        Who can't be reached now is tried again at the next look, and keeps nobody else waiting.
        """
        stands, taken = self.standings(), 0
        for each in self._run("SELECT * FROM subscriber WHERE confirmed"):
            lines = changes(json.loads(each["seen"]), stands)
            if not (lines if each["every"] == "change" else now - each["sent"] >= WEEK):
                continue
            try:
                self.server.send(self._digest(each["address"], each["key"], lines))
            except (OSError, smtplib.SMTPException) as error:
                print(f"digest: a mail was not taken: {type(error).__name__}", file=sys.stderr)
                continue
            self._run("UPDATE subscriber SET sent = ?, seen = ? WHERE key = ?", now, json.dumps(stands), each["key"])
            taken += 1
        return taken

    def _digest(self, address: str, key: str, lines: list[str]) -> EmailMessage:
        runs = self.ledger.shown()
        stands = [
            f"{method.paper.title}: {counts(findings(method.paper, runs[name]))}\n  {self.server.page}/papers/{name}"
            for name, method in self.ledger.known.items()
        ]
        changed = "\n".join(lines) or "No verdict has changed."
        title = f"Parataxis: {len(lines)} changed" if lines else "Parataxis: nothing changed"
        return self._message(
            address,
            key,
            title,
            f"{changed}\n\nWhat stands\n\n{chr(10).join(stands)}\n\nNo more of this: {self.server.page}/digest/{key}\n",
        )

    def _message(self, address: str, key: str, subject: str, text: str) -> EmailMessage:
        message = EmailMessage(UNBROKEN)
        message["From"], message["To"], message["Subject"] = self.server.sender, address, subject
        message["Date"] = formatdate()
        message["Message-ID"] = make_msgid(domain=self.server.sender.rpartition("@")[2])
        message["Auto-Submitted"] = "auto-generated"
        message["List-Unsubscribe"] = f"<{self.server.page}/digest/{key}/leave>"
        if self.server.page.startswith("https:"):  # RFC 8058 asks for it
            message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        message.set_content(text)
        return message

    # -- the thread that looks -----------------------------------------------------------------------------------------

    def _work(self) -> None:
        while not self._closing.wait(LOOK):
            try:
                self.send_due(time.time())
            except Exception as error:  # the next look may be luckier; a thread that has died mails nobody
                print(f"digest: {type(error).__name__}: {error}", file=sys.stderr)

    def _run(self, statement: str, *values: object) -> list[sqlite3.Row]:
        with self._one:
            return self._file.execute(statement, values).fetchall()


def changes(before: Standings, now: Standings) -> list[str]:
    """A line for each claim or symmetry, there before and now, that does not stand as it did."""
    return [
        f"{name} {identity}: {before[name][identity]}, now {word}"
        for name, words in now.items()
        for identity, word in words.items()
        if before.get(name, {}).get(identity, word) != word
    ]

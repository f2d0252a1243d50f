import re
import time
from contextlib import contextmanager

import pytest

from parataxis.errors import BadInput
from parataxis.studies.registry import methods

pytest.importorskip("fastapi", reason="the extra `web` is not installed")
from starlette.testclient import TestClient
from web_helpers import TOKEN, command, keep

from parataxis.web import digest as digest_module
from parataxis.web.app import make_app
from parataxis.web.digest import WEEK, Digest, MailServer, changes
from parataxis.web.ledger import Ledger
from parataxis.web.queue import Queue
from waiting import until

NETLOC, PAGE = "papers.example", "https://papers.example"
ANN = "ann@example.org"


@contextmanager
def served(tmp_path, folder, mail):
    queue = Queue(tmp_path / "e.sqlite", command(folder))
    app = make_app(methods([folder]), queue, NETLOC, TOKEN, mail)
    with TestClient(app, base_url=PAGE, follow_redirects=False) as client:
        yield client


def owner(client, **form):
    return client.post("/digest", data=form, headers={"Authorization": f"Bearer {TOKEN}"})


def link(mail):
    return re.search(rf"{PAGE}(/digest/\S+)", mail.get_content())[1]


@pytest.fixture
def digest(tmp_path, planted, smtp):
    made = Digest(Ledger(tmp_path / "e.sqlite", methods([planted])), smtp.mail)
    yield made
    made.close()


def subscribe(digest, smtp, address, every):
    digest.ask(address, every)
    digest.confirm(link(smtp.mails.pop()).rpartition("/")[2])


def test_two_yeses_begin_it_and_one_click_ends_it(tmp_path, planted, smtp, monkeypatch):
    monkeypatch.setattr(digest_module, "LOOK", 0.05)
    keep(tmp_path, 1.0)
    with served(tmp_path, planted, smtp.mail) as client:
        assert owner(client, address=ANN, every="change").status_code == 200
        (asked,) = smtp.mails
        assert (asked["To"], asked["From"]) == (ANN, "page@papers.example")
        assert "Shall ann@example.org" in client.get(link(asked)).text  # as often as a scanner of links likes
        keep(tmp_path, 0.1)
        time.sleep(0.3)
        assert len(smtp.mails) == 1  # not before the second yes
        assert client.post(f"{link(asked)}/confirm").status_code == 303
        assert "ann@example.org gets the digest" in client.get(link(asked)).text
        keep(tmp_path, 1.0)
        until(lambda: len(smtp.mails) == 2, "the digest")
        mail = smtp.mails[1]
        assert mail["Subject"] == "Parataxis: 1 changed"
        assert "planted-gap gap: fails, now holds" in mail.get_content()
        assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        one_click = re.fullmatch(rf"<{PAGE}(\S+)>", mail["List-Unsubscribe"])[1]
        answer = client.post(  # as a mail program: no cookie, no token, another site, no redirect
            one_click, data={"List-Unsubscribe": "One-Click"}, headers={"Origin": "https://mail.example"}
        )
        assert answer.status_code == 200
        assert client.get(link(asked)).status_code == 404
        keep(tmp_path, 0.1)
        time.sleep(0.3)
        assert len(smtp.mails) == 2
        assert client.post(one_click).status_code == 200  # once more


def test_each_week_whatever_stands_and_at_once_only_what_changed(tmp_path, digest, smtp):
    keep(tmp_path, 1.0)
    subscribe(digest, smtp, "weekly@example.org", "week")
    subscribe(digest, smtp, "changed@example.org", "change")
    digest.ask("silent@example.org", "week")  # and says no second yes
    now = time.time()
    assert digest.send_due(now) == 0
    assert digest.send_due(now + WEEK + 1) == 1
    assert smtp.mails[-1]["To"] == "weekly@example.org"
    assert "No verdict has changed." in smtp.mails[-1].get_content()
    assert "A Gap That Is There: 1 holds, 4 not measured" in smtp.mails[-1].get_content()
    keep(tmp_path, 0.9)  # another figure, the same verdict
    assert digest.send_due(now + WEEK + 2) == 0
    keep(tmp_path, 0.1)
    assert digest.send_due(now + WEEK + 3) == 1
    assert smtp.mails[-1]["To"] == "changed@example.org"
    assert digest.send_due(now + WEEK + 4) == 0  # told once
    assert digest.send_due(now + 2 * WEEK + 2) == 1
    assert "holds, now fails" in smtp.mails[-1].get_content()


def test_who_cannot_be_reached_keeps_nobody_waiting_and_is_tried_again(tmp_path, digest, smtp, monkeypatch, capsys):
    for address in ("a@example.org", "b@example.org"):
        subscribe(digest, smtp, address, "change")
    keep(tmp_path, 1.0)
    digest._run("UPDATE subscriber SET address = 'full@example.org' WHERE address = 'a@example.org'")
    assert digest.send_due(time.time()) == 1
    assert smtp.mails[-1]["To"] == "b@example.org"
    assert "SMTPRecipientsRefused" in capsys.readouterr().err
    digest._run("UPDATE subscriber SET address = 'a@example.org' WHERE address = 'full@example.org'")
    assert digest.send_due(time.time()) == 1
    assert smtp.mails[-1]["To"] == "a@example.org"


def test_what_the_mail_server_refuses_is_not_kept(tmp_path, planted, smtp):
    with served(tmp_path, planted, smtp.mail) as client:
        assert owner(client, address="full@example.org", every="week").status_code == 502
        assert owner(client, address="full@example.org", every="week").status_code == 502  # not taken as asked already
        assert smtp.mails == []


@pytest.mark.parametrize(
    "address",
    ["", "ann", "ann@", "@example.org", "a b@example.org", "ann@example.org\nBcc: eve@example.org",
     "ann@example.org\r\n",
     "ann@example.org,eve@example.org", "<ann@example.org>", "ann@exämple.org", "a" * 250 + "@example.org",
     '"ann"@example.org', "ann@example..org"],
)  # fmt: skip
def test_an_address_that_is_none_gets_nothing(tmp_path, planted, smtp, address):
    with served(tmp_path, planted, smtp.mail) as client:
        assert owner(client, address=address, every="week").status_code == 400
        assert smtp.mails == []


def test_who_may_ask_and_how_often(tmp_path, planted, smtp, monkeypatch):
    monkeypatch.setattr(digest_module, "WAITING", 2)
    with served(tmp_path, planted, smtp.mail) as client:
        assert client.post("/digest", data={"address": ANN, "every": "week"}).status_code == 403
        assert owner(client, address=ANN, every="hour").status_code == 400
        for _ in range(3):
            assert owner(client, address=ANN, every="week").status_code == 200
        assert len(smtp.mails) == 1  # nobody is written to twice
        assert owner(client, address="b@example.org", every="week").status_code == 200
        assert owner(client, address="c@example.org", every="week").status_code == 400
        for key in ("x", "..%2f..", "%00", "x' OR '1'='1"):
            assert client.get(f"/digest/{key}").status_code == 404
            client.post(f"/digest/{key}/confirm")
            client.post(f"/digest/{key}/leave")
        assert client.get(link(smtp.mails[0])).status_code == 200
        assert client.post("/runs", data={"method": "planted-gap", "scale": "quick"}).status_code == 403


def test_who_does_not_say_yes_is_forgotten(digest, smtp, monkeypatch):
    digest.ask(ANN, "week")
    monkeypatch.setattr(digest_module, "FORGET", 0.0)
    digest.confirm(link(smtp.mails[0]).rpartition("/")[2])  # too late
    digest.ask("b@example.org", "week")
    assert [each["address"] for each in digest._run("SELECT * FROM subscriber")] == ["b@example.org"]


def test_only_the_owner_of_the_file_reads_the_addresses(tmp_path, digest):
    assert (tmp_path / "e.sqlite.logs" / "digest.sqlite").stat().st_mode & 0o077 == 0


def test_a_claim_that_is_new_has_not_changed():
    assert changes({"p": {"a": "holds"}}, {"p": {"a": "holds", "b": "fails"}, "q": {"c": "fails"}}) == []
    assert changes({"p": {"a": "holds"}}, {"p": {"a": "undecided"}}) == ["p a: holds, now undecided"]


def test_without_a_mail_server_none_is_offered(tmp_path, planted):
    with served(tmp_path, planted, None) as client:
        assert client.get("/digest").status_code == 404
        assert "By mail" not in client.get("/").text


def test_the_mail_server_is_set_by_the_environment():
    asked = {"PARATAXIS_SMTP": "smtps://u:p@mail.example", "PARATAXIS_SENDER": "page@papers.example"}
    assert MailServer.of_environment(NETLOC, {}) is None
    assert MailServer.of_environment(NETLOC, asked).page == f"http://{NETLOC}"
    assert MailServer.of_environment(NETLOC, {**asked, "PARATAXIS_URL": f"{PAGE}/"}).page == PAGE
    for name, value in (
        ("PARATAXIS_SMTP", "mail.example"), ("PARATAXIS_SMTP", "smtp://u:secret@:x"), ("PARATAXIS_SENDER", ""),
        ("PARATAXIS_SENDER", "a@b\nBcc: c@d"), ("PARATAXIS_URL", "papers.example"),
    ):  # fmt: skip
        with pytest.raises(BadInput, match=name) as told:
            MailServer.of_environment(NETLOC, {**asked, name: value})
        assert "secret" not in str(told.value)


def test_a_password_is_not_sent_in_the_clear(tmp_path, digest, smtp):
    digest.server = MailServer(smtp.mail.url.replace("//", "//user:password@"), smtp.mail.sender, PAGE)
    with pytest.raises(Exception, match="STARTTLS extension not supported"):
        digest.ask(ANN, "week")
    assert smtp.mails == []

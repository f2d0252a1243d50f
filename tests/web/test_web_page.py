import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from xml.etree import ElementTree

import pytest

from parataxis.studies.registry import methods
from parataxis.studies.store import Store
from planted import plant

pytest.importorskip("fastapi", reason="the extra `web` is not installed")
import httpx2
from starlette.testclient import TestClient
from web_helpers import SLOW, TOKEN, command, keep

from parataxis.errors import BadInput
from parataxis.web import app as app_module
from parataxis.web import ledger as ledger_module
from parataxis.web import queue as queue_module
from parataxis.web.app import make_app
from parataxis.web.queue import Queue
from parataxis.web.safety import BODY, check_bind
from waiting import WAIT, until

NETLOC = "127.0.0.1:8421"


@contextmanager
def served(tmp_path, folder):
    """A browser that has the token, over a page of one planted method among ours."""
    queue = Queue(tmp_path / "e.sqlite", command(folder))
    with TestClient(
        make_app(methods([folder]), queue, NETLOC, TOKEN), base_url=f"http://{NETLOC}", follow_redirects=False
    ) as client:
        client.queue = queue
        yield client


@pytest.fixture
def client(tmp_path, planted):
    with served(tmp_path, planted) as client:
        yield client


def enter(client):
    assert client.get("/", params={"token": TOKEN}).status_code == 303


# -- reading -----------------------------------------------------------------------------------------------------------


def names(text):
    return re.findall(r'<th scope="row"><a href="/papers/([^"]*)"', text)


def test_the_list_has_every_paper_and_finds_by_title_summary_and_verb(client, planted):
    assert names(client.get("/").text) == list(methods([planted]))
    for query in ("A gap THAT", "mean of some numbers", "planted-gap", "there remove"):
        assert names(client.get("/", params={"q": query}).text) == ["planted-gap"], query
    assert names(client.get("/", params={"q": "gap nowhere"}).text) == []


def test_the_list_is_sorted_by_date_and_by_standing(client, tmp_path, planted):
    dates = [methods([planted])[name].paper.date for name in names(client.get("/?sort=date").text)]
    assert dates == sorted(dates, reverse=True)
    assert names(client.get("/?sort=standing").text)[0] != "planted-gap"
    keep(tmp_path)
    assert names(client.get("/?sort=standing").text)[0] == "planted-gap"  # what has been measured comes first
    assert client.get("/?sort=id;drop").status_code == 404


def test_a_papers_page_shows_what_is_known_and_what_was(client, tmp_path):
    assert "Not measured yet" in client.get("/papers/planted-gap").text
    keep(tmp_path, 1.0)
    keep(tmp_path, 0.25)
    text = client.get("/papers/planted-gap").text
    assert "0.25 points" in text
    assert text.index('id="run-2"') < text.index('id="run-1"')
    row = re.search(r"<code>gap</code></th>(.*?)</tr>", text, re.DOTALL)[1]
    cells = [re.sub(r"<[^>]*>|\s+", " ", cell).split() for cell in row.split("</td>")[:-1]]
    assert cells == [["0.25", "points", "fails"], ["1", "points", "holds"]]
    assert client.get("/papers/nothing").status_code == 404
    assert 'href="/papers/planted-gap"' in client.get("/permuted").text


def test_a_measurement_of_another_version_of_the_claim_has_no_standing(client, tmp_path):
    keep(tmp_path, version=7)
    row = re.search(r"<code>gap</code></th>(.*?)</tr>", client.get("/papers/planted-gap").text, re.DOTALL)[1]
    assert "not measured" in row


def test_the_feed_has_an_entry_a_finished_run_the_newest_first(client, tmp_path):
    name = "{http://www.w3.org/2005/Atom}"
    assert ElementTree.fromstring(client.get("/feed.atom").content).findall(f"{name}entry") == []
    keep(tmp_path)
    answer = client.get("/feed.atom")
    assert answer.headers["content-type"].startswith("application/atom+xml")
    root = ElementTree.fromstring(answer.content)
    (entry,) = root.findall(f"{name}entry")
    assert entry.findtext(f"{name}title") == "A Gap That Is There: 1 holds, 4 not measured"
    assert entry.findtext(f"{name}id") == f"http://{NETLOC}/papers/planted-gap#run-1"
    assert root.findtext(f"{name}updated") == entry.findtext(f"{name}updated") != ""


def test_only_the_newest_runs_are_read_and_few_are_kept(client, tmp_path, monkeypatch):
    monkeypatch.setattr(app_module, "HISTORY", 2)
    monkeypatch.setattr(app_module, "ENTRIES", 1)
    monkeypatch.setattr(ledger_module, "RUNS", 1)
    for value in (0.1, 0.2, 0.3):
        keep(tmp_path, value)
    for _ in range(2):  # from the store, and as it was kept
        text = client.get("/papers/planted-gap").text
        assert re.findall(r'<tr id="run-(\d+)"', text) == ["3", "2"]
        assert re.findall(r"#run-(\d+)</id>", client.get("/feed.atom").text) == ["3"]
    keep(tmp_path, 0.4)
    assert re.findall(r"#run-(\d+)</id>", client.get("/feed.atom").text) == ["4"]
    assert "0.4 points" in client.get("/papers/planted-gap").text


def test_what_is_shown_is_escaped(tmp_path):
    evil = "<script>alert(1)</script>"
    folder = plant(tmp_path / "m", ("paper.toml", "A Gap That Is There", evil), ("paper.toml", "Planted 2020", evil))
    with served(tmp_path, folder) as client:
        keep(tmp_path, note=evil)
        client.queue._closing.set()  # works on nothing
        client.queue.ask("planted-gap", "quick")
        (tmp_path / "e.sqlite.logs" / "1.txt").write_text(evil)
        for path in ("/", f"/?q={evil}", "/papers/planted-gap", "/permuted", "/feed.atom", "/runs/1"):
            text = client.get(path).text
            assert "<script>alert" not in text, path
            assert "alert(1)" in text or path == "/permuted", path
        assert client.get("/runs/1/log").headers["content-type"].startswith("text/plain")


# -- running -----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("data")
def test_a_run_goes_from_the_button_to_the_verdict(client):
    enter(client)
    assert '<form method="post" action="/runs">' in client.get("/papers/planted-gap").text
    asked = client.post("/runs", data={"method": "planted-gap", "scale": "quick"})
    assert (asked.status_code, asked.headers["location"]) == (303, "/runs/1")
    with client.stream("GET", "/runs/1/events") as events:
        looks = [json.loads(line[6:]) for line in events.iter_lines() if line.startswith("data: ")]
    assert looks[-1]["state"] == "done"
    assert [look["over"] for look in looks] == [False] * (len(looks) - 1) + [True]
    page = client.get("/papers/planted-gap").text
    assert "5 not measured" not in page
    assert "class=good" in page
    assert "planted-gap  gap  0.995 [" in client.get("/runs/1/log").text
    assert "done" in client.get("/runs").text


@pytest.mark.usefixtures("data")
def test_a_cancelled_run_keeps_what_it_measured(tmp_path):
    with served(tmp_path, plant(tmp_path / "m", SLOW)) as client:
        enter(client)
        client.post("/runs", data={"method": "planted-gap", "scale": "quick"})
        until(lambda: Store(tmp_path / "e.sqlite").last() == 1, "the first measurement")
        process = client.queue.job(1).process
        assert client.get("/runs/1").text.count("/runs/1/cancel") == 1
        begun = time.monotonic()
        assert client.post("/runs/1/cancel").status_code == 303
        until(lambda: not queue_module._lives(process), "the end of the process")
        assert time.monotonic() - begun < 10
        assert client.queue.job(1).state == "cancelled"
        assert "/runs/1/cancel" not in client.get("/runs/1").text
        assert Store(tmp_path / "e.sqlite").last() == 1
        client.post("/runs/1/cancel")  # once more changes nothing
        assert client.queue.job(1).state == "cancelled"


def test_a_study_that_fails_is_told(tmp_path):
    folder = plant(tmp_path / "m", ("study.py", "    real = ctx", "    1 / 0\n    real = ctx"))
    with served(tmp_path, folder) as client:
        client.queue.ask("planted-gap", "quick")
        until(lambda: client.queue.job(1).over, "the end")
        assert client.queue.job(1).state == "failed"
        assert "planted-gap" in client.queue.log(1)


def test_a_closed_queue_gives_back_what_ran_and_what_waits(tmp_path):
    sleeper = (sys.executable, "-c", "import time; time.sleep(60)")
    queue = Queue(tmp_path / "e.sqlite", sleeper)
    queue.start()
    queue.ask("a", "quick")
    queue.ask("b", "quick")
    until(lambda: queue.job(1).state == "running", "the start")
    process = queue.job(1).process
    queue.close()
    assert not queue_module._lives(process)
    again = Queue(tmp_path / "e.sqlite", sleeper)
    assert [(job.method, job.state) for job in again.jobs()] == [("b", "waiting"), ("a", "waiting")]
    again.close()


def test_the_queue_is_bounded_and_asks_nothing_twice(tmp_path, monkeypatch):
    monkeypatch.setattr(queue_module, "KEPT", 2)
    queue = Queue(tmp_path / "e.sqlite")  # not started, so that all wait
    first = queue.ask("m0", "quick")
    assert queue.ask("m0", "quick") == first
    for place in range(1, queue_module.WAITING):
        queue.ask(f"m{place}", "quick")
    with pytest.raises(queue_module.Full):
        queue.ask("one too many", "quick")
    for job in queue.jobs():
        queue.cancel(job.id)
    queue.ask("new", "quick")
    assert [job.method for job in queue.jobs()] == ["new", "m15", "m14"]
    queue.close()


# -- safety ------------------------------------------------------------------------------------------------------------

ASK = {"method": "planted-gap", "scale": "quick"}
HOSTILE = [  # the form, headers, and the status of the refusal
    ({"method": "../../etc/passwd", "scale": "quick"}, {}, 404),
    ({"method": "planted-gap; rm -rf /", "scale": "quick"}, {}, 404),
    ({"method": "--help", "scale": "quick"}, {}, 404),
    ({"method": "planted-gap\x00", "scale": "quick"}, {}, 404),
    ({"method": "planted_gap.study:study", "scale": "quick"}, {}, 404),
    ({"method": "planted-gap", "scale": "--store=/tmp/x"}, {}, 400),
    ({"method": "planted-gap", "scale": "paper"}, {}, 400),
    ({**ASK, "store": "/tmp/x"}, {}, 400),
    ({"method": ["planted-gap", "flaky-tests"], "scale": "quick"}, {}, 400),
    ({"method": "x" * BODY, "scale": "quick"}, {}, 400),
    ({}, {}, 400),
    (ASK, {"Origin": "http://evil.example"}, 403),
    (ASK, {"Origin": "null"}, 403),
    (ASK, {"Origin": f"http://{NETLOC}.evil.example"}, 403),
    (ASK, {"Origin": "http://127.0.0.1:9999"}, 403),
    (ASK, {"Sec-Fetch-Site": "cross-site"}, 403),
    (ASK, {"Sec-Fetch-Site": "same-site"}, 403),
    (ASK, {"Host": "evil.example"}, 421),
    (ASK, {"Host": "127.0.0.1:9999"}, 421),
]


@pytest.mark.parametrize(("form", "headers", "status"), HOSTILE)
def test_a_hostile_request_starts_nothing(client, form, headers, status):
    enter(client)
    assert client.post("/runs", data=form, headers=headers).status_code == status
    assert client.queue.jobs() == []


@pytest.mark.parametrize("headers", [{}, {"Authorization": f"Bearer {TOKEN}x"}, {"Cookie": "parataxis-8421="},
                                     {"Authorization": "Bearer ä".encode()}])  # fmt: skip
def test_without_the_token_nothing_is_changed(client, headers):
    client.queue._closing.set()  # works on nothing
    client.queue.ask("planted-gap", "full")
    assert client.post("/runs", data=ASK, headers=headers).status_code == 403
    assert client.post("/runs/1/cancel", headers=headers).status_code == 403
    assert [job.state != "cancelled" for job in client.queue.jobs()] == [True]
    assert client.get("/", params={"token": "wrong"}).status_code == 403
    page = client.get("/papers/planted-gap", headers=headers).text
    assert "<form method" not in page
    assert TOKEN not in page


def test_other_ways_of_asking_are_refused(client):
    enter(client)
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS"):
        assert client.request(method, "/runs").status_code == 405
    for path in ("/papers/..%2f..%2fetc", "/runs/abc", "/runs/-1", "/static/page.js", "/docs", "/openapi.json"):
        assert client.get(path).status_code in (404, 422), path
    assert client.get("/runs/1/events").status_code == 404
    assert client.get("/runs/999999999999999999999999").status_code in (404, 422)


def test_a_page_loads_nothing_from_elsewhere_and_runs_no_written_in_script(client, tmp_path):
    keep(tmp_path)
    for path in ("/", "/papers/planted-gap", "/permuted", "/runs", "/nothing"):
        answer = client.get(path)
        policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
        assert answer.headers["x-content-type-options"] == "nosniff"
        loaded = re.findall(r'(?:src|href)="?([^"\s>]*)', answer.text)
        assert all(link.startswith(("/", "#", "data:image/")) for link in loaded), path
        assert not re.search(r"<script>|<style|\sstyle=|\son\w+=", answer.text), path


def test_the_cookie_is_no_scripts_and_no_other_sites(client):
    cookie = client.get("/", params={"token": TOKEN}).headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "domain" not in cookie


def test_watchers_are_bounded(client, monkeypatch):
    monkeypatch.setattr(app_module, "STREAMS", 0)
    client.queue.ask("planted-gap", "quick")
    assert client.get("/runs/1/events").status_code == 503


def test_beyond_this_machine_only_with_a_token():
    check_bind("127.0.0.1", "")
    check_bind("::1", "")
    check_bind("localhost", "")
    check_bind("0.0.0.0", TOKEN)
    for host in ("0.0.0.0", "::", "192.0.2.1", "example.org", "127.0.0.1.example.org", ""):
        with pytest.raises(BadInput, match="only with a token"):
            check_bind(host, "")
    with pytest.raises(BadInput, match="has 5 characters"):
        check_bind("127.0.0.1", "short")


# -- the command -------------------------------------------------------------------------------------------------------


def serve(*argv, **environment):
    return subprocess.Popen(
        [sys.executable, "-m", "parataxis", "serve", *map(str, argv)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )


def test_the_command_serves_until_it_is_stopped(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = serve("--port", port, "--store", tmp_path / "e.sqlite", PARATAXIS_TOKEN="")
    try:
        address = server.stdout.readline().strip()
        assert re.fullmatch(rf"http://127\.0\.0\.1:{port}/\?token=\S{{32}}", address)
        patient = httpx2.HTTPTransport(retries=8)  # the address is told just before it is listened to
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}", follow_redirects=True, transport=patient) as client:
            assert "Only with the token" in client.get("/papers/flaky-tests").text
            assert client.get(address).status_code == 200
            assert "Only with the token" not in client.get("/papers/flaky-tests").text
        server.send_signal(signal.SIGINT)
        assert server.communicate(timeout=WAIT)[1] in ("", "parataxis: stopped\n")
    finally:
        server.kill()
        server.communicate()


def test_the_command_refuses_in_one_line():
    server = serve("--host", "0.0.0.0", PARATAXIS_TOKEN="")
    told = server.communicate(timeout=WAIT)
    assert told == (
        "",
        "parataxis: --host=0.0.0.0: beyond this machine only with a token; set PARATAXIS_TOKEN\n",
    )
    assert server.returncode == 2

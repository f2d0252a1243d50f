"""The page in a real browser: Debian's Chromium, driven by Playwright. Where one is not there: skipped, with a word."""

import os
import re
import shutil
import socket
import threading
from contextlib import contextmanager
from dataclasses import replace

import pytest

from parataxis.studies.registry import methods
from parataxis.studies.report import html_report
from parataxis.studies.store import Store
from planted import plant

pytest.importorskip("fastapi", reason="the extra `web` is not installed")
pytest.importorskip("playwright.sync_api", reason="not run: no Playwright; pip install --group dev")
import uvicorn
from playwright.sync_api import sync_playwright
from web_accessibility import FAULTS, FOUND, WRONG
from web_helpers import SLOW, TOKEN, command, keep

from parataxis.web.app import make_app
from parataxis.web.queue import Queue
from waiting import WAIT, until

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="not run: no Chromium; apt-get install chromium")
PAGES = ("/", "/?q=nowhere", "/papers/planted-gap", "/papers/flaky-tests", "/permuted", "/runs", "/runs/1", "/digest")
PHONE = {"width": 390, "height": 844}  # CSS pixels


@pytest.fixture(scope="module")
def chromium():
    with sync_playwright() as driver:
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


@contextmanager
def opened(chromium, tmp_path, folder, mail=None, **options):
    """A tab with the list of the page, its reader the owner."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        netloc = f"127.0.0.1:{listening.getsockname()[1]}"
        queue = Queue(tmp_path / "e.sqlite", command(folder))
        mail = mail and replace(mail, page=f"http://{netloc}")
        app = make_app(methods([folder]), queue, netloc, TOKEN, mail)
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        context = chromium.new_context(base_url=f"http://{netloc}", **options)
        try:
            until(lambda: server.started, "the server's start")
            context.set_default_timeout(1000 * WAIT)
            page = context.new_page()
            page.queue, page.said = queue, []
            page.on("console", lambda message: page.said.append(message.text))
            page.on("pageerror", lambda error: page.said.append(str(error)))
            page.goto(f"/?token={TOKEN}")
            yield page
        finally:
            context.close()
            server.should_exit = True
            thread.join()


def test_papers_are_found_by_a_word_sorted_and_read(chromium, tmp_path, planted):
    keep(tmp_path, 0.25)
    keep(tmp_path, 1.0)
    with opened(chromium, tmp_path, planted) as page:
        assert TOKEN.replace(" ", "%20") not in page.url  # not left in the history of the browser
        rows = page.locator("tbody tr")
        assert rows.count() == len(methods([planted]))
        page.get_by_label("Search").fill("there remove")
        page.get_by_label("Search").press("Enter")
        page.wait_for_url("**/?q=there*")
        assert rows.count() == 1
        page.get_by_label("Search").fill("")
        page.get_by_label("Sorted by").select_option("standing")
        page.get_by_role("button", name="Show").click()
        page.wait_for_url("**sort=standing")
        assert "A Gap That Is There" in rows.first.inner_text()
        page.get_by_role("link", name="A Gap That Is There").click()
        assert page.get_by_role("heading", level=2).first.inner_text() == "A Gap That Is There"
        assert "1 points" in page.locator("section tbody tr").first.inner_text()
        assert page.locator("tr[id^=run-]").evaluate_all("rows => rows.map(row => row.id)") == ["run-2", "run-1"]
        assert page.said == []  # nothing was refused by the policy, no script failed


@pytest.mark.usefixtures("data")
def test_a_click_leads_to_a_verdict(chromium, tmp_path):
    folder = plant(tmp_path / "m", (SLOW[0], SLOW[1], SLOW[2].replace("60", "1.5")))
    with opened(chromium, tmp_path, folder) as page:
        page.goto("/papers/planted-gap")
        assert "Not measured yet" in page.inner_text("main")
        page.get_by_role("button", name="Run").click()
        page.wait_for_url("**/runs/1")
        page.locator("#live", has_text=re.compile("^1 of 5 measured")).wait_for()
        page.wait_for_selector("#state")  # by itself
        assert page.inner_text("#state").startswith("done, ")
        assert "planted-gap  gap  0.995 [" in page.inner_text("pre")
        page.get_by_role("link", name="What is known of planted-gap").click()
        assert re.search(r"\bholds$", page.locator("section tbody tr").first.inner_text())
        assert page.said == []


@pytest.mark.usefixtures("data")
def test_a_click_cancels(chromium, tmp_path):
    with opened(chromium, tmp_path, plant(tmp_path / "m", SLOW)) as page:
        page.goto("/papers/planted-gap")
        page.get_by_role("button", name="Run").click()
        page.locator("#live", has_text=re.compile("^1 of 5 measured")).wait_for()
        page.get_by_role("button", name="Cancel").click()
        page.wait_for_selector("#state")
        assert page.inner_text("#state").startswith("cancelled, ")
        assert page.get_by_role("button").count() == 0
        assert page.queue.job(1).state == "cancelled"


def test_clicks_subscribe_and_end_it(chromium, tmp_path, planted, smtp):
    with opened(chromium, tmp_path, planted, smtp.mail) as page:
        page.get_by_role("link", name="By mail").click()
        page.get_by_label("Address").fill("ann@example.org")
        page.get_by_label("Sent").select_option("when a verdict has changed")
        page.get_by_role("button", name="Ask").click()
        page.get_by_role("status").wait_for()
        assert "A mail has been sent there" in page.get_by_role("status").inner_text()
        (mail,) = smtp.mails
        page.goto(re.search(r"http://\S+", mail.get_content())[0])
        page.get_by_role("button", name="Yes").click()
        page.get_by_text("ann@example.org gets the digest.").wait_for()
        page.get_by_role("button", name="No more of it").click()
        page.get_by_text("No more mail is sent.").wait_for()
        assert page.said == []


def test_a_pages_faults_are_told(chromium):
    page = chromium.new_page()
    page.set_content(WRONG)
    told = page.evaluate(FAULTS)
    page.close()
    for fault in FOUND:
        assert any(each.startswith(fault) for each in told), fault


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_can_be_read_by_all(chromium, tmp_path, planted, scheme, smtp):
    keep(tmp_path, 1.0)
    keep(tmp_path, 0.25)
    with opened(chromium, tmp_path, planted, smtp.mail, color_scheme=scheme) as page:
        page.queue._closing.set()  # works on nothing
        page.queue.ask("planted-gap", "quick")
        for path in PAGES:
            page.goto(path)
            assert page.evaluate(FAULTS) == [], path
        for path in PAGES:
            page.set_viewport_size(PHONE)
            page.goto(path)
            assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path


ONE_DOCUMENT = [
    "no named navigation: ",
    "no link past the navigation: ",
]  # the report is one, and has nothing before it


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_report_can_be_read_by_all(chromium, tmp_path, planted, scheme):
    keep(tmp_path, 1.0)
    with Store(tmp_path / "e.sqlite") as store:
        papers = [(each.paper, store.shown(each.name)) for each in methods([planted]).values()]
    (tmp_path / "report.html").write_text(html_report(papers))
    context = chromium.new_context(color_scheme=scheme)
    page = context.new_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((tmp_path / "report.html").as_uri())
    assert page.evaluate(FAULTS) == ONE_DOCUMENT
    page.set_viewport_size(PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    context.close()
    assert asked == [(tmp_path / "report.html").as_uri()]  # and nothing else, from anywhere


FOCUSED = """() => {
  const node = document.activeElement, style = getComputedStyle(node), place = node.getBoundingClientRect();
  const seen = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2 && place.right > 0;
  return [node.tagName + " " + (node.name || node.textContent), seen];
}"""


def test_all_that_can_be_done_is_reached_by_keys_and_seen(chromium, tmp_path, planted):
    with opened(chromium, tmp_path, planted) as page:
        page.goto("/papers/planted-gap")
        reached = []
        for _ in range(7):
            page.keyboard.press("Tab")
            reached.append(tuple(page.evaluate(FOCUSED)))
        order = (
            "A To the content",
            "A Papers",
            "A What may be permuted",
            "A Runs",
            "A Feed",
            "SELECT scale",
            "BUTTON Run",
        )
        assert reached == [(name, True) for name in order]
        page.reload()
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        assert page.evaluate(FOCUSED) == ["SELECT scale", True]

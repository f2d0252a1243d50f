"""Search by meaning, with the encoder itself: the papers found are those it finds, from its package alone."""

import logging
import re
import socket

import pytest

from parataxis.studies.registry import methods

pytest.importorskip("fastapi", reason="the extra `web` is not installed")
pytest.importorskip("wordllama", reason="the extra `meaning` is not installed")
from starlette.testclient import TestClient
from web_helpers import TOKEN

from parataxis.web.app import make_app
from parataxis.web.meaning import MOST, Meaning
from parataxis.web.queue import Queue

NETLOC = "127.0.0.1:8421"


@pytest.fixture(scope="module")
def meaning():
    return Meaning(methods())


@pytest.mark.parametrize(
    ("query", "paper"),
    [
        ("unit tests that fail at random", "flaky-tests"),
        ("health economics of oncology", "therapy-sequence"),
        ("companies that compete and cooperate at the same time", "coopetition"),
        ("simulate fluid flow cheaply", "phi-rom"),
    ],
)
def test_a_question_in_other_words_finds_its_paper(meaning, query, paper):
    found = meaning.near(query)
    assert found[0] == paper
    assert len(found) <= MOST


@pytest.mark.parametrize("query", ["", "  \n", "recipe for apple pie", "volcano"])
def test_what_means_nothing_here_finds_nothing(meaning, query):
    assert meaning.near(query) == []


@pytest.mark.parametrize("query", ["\x00", "\u200b", "x" * 200, "🦙" * 50, "<script>", "'; DROP TABLE run"])
def test_odd_queries_are_only_queries(meaning, query):
    assert set(meaning.near(query)) <= set(methods())


def test_the_order_of_the_papers_is_no_matter(meaning):
    backwards = Meaning(dict(reversed(methods().items())))
    for query in ("cost of a cure", "prompts", "neural network"):
        assert backwards.near(query) == meaning.near(query)


def test_it_fetches_nothing_and_leaves_the_log_as_it_was(monkeypatch, tmp_path):
    def refuse(*_):
        raise AssertionError("asked for a network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setenv("HOME", str(tmp_path))
    before = logging.getLogger().level, logging.getLogger().handlers[:]
    Meaning(methods())
    assert (logging.getLogger().level, logging.getLogger().handlers) == before
    assert list(tmp_path.iterdir()) == []


def listed(text):
    """The names in the list, and those that are near in meaning."""
    return [re.findall(r'<th scope="row"><a href="/papers/([^"]*)"', part) for part in text.split('<h2 id="near">')]


def test_the_list_shows_what_is_near_besides_what_has_the_words(meaning, tmp_path):
    def get(queue, meaning, query):
        with TestClient(make_app(methods(), queue, NETLOC, TOKEN, meaning=meaning), base_url=f"http://{NETLOC}") as it:
            return it.get("/", params={"q": query}).text

    text = get(Queue(tmp_path / "e.sqlite"), meaning, "unit tests that fail at random")
    assert listed(text)[0] == []
    assert "No paper has all of these words." in text
    assert listed(text)[1][0] == "flaky-tests"
    words, near = listed(get(Queue(tmp_path / "e.sqlite"), meaning, "therapy"))
    assert words == ["therapy-sequence"]
    assert "therapy-sequence" not in near
    assert len(listed(get(Queue(tmp_path / "e.sqlite"), meaning, ""))) == 1
    assert len(listed(get(Queue(tmp_path / "e.sqlite"), None, "unit tests that fail at random"))) == 1

"""What a pipe gets to see of long work: how much is done, and how long it will still take."""

import pytest

from parataxis import progress


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 100.0

        def monotonic(self):
            return self.now

    made = Clock()
    monkeypatch.setattr(progress, "time", made)
    return made


def told(clock, capsys, *steps):
    """steps: seconds, and how many of 100 are done then."""
    with progress.watching("questions") as tell:
        for seconds, done in steps:
            clock.now += seconds
            tell(done, 100)
    return capsys.readouterr().err.splitlines()


def test_a_line_every_ten_seconds_with_what_is_left(clock, capsys):
    assert told(clock, capsys, (0, 0), (6, 3), (6, 6), (6, 9), (6, 12)) == [
        "6/100 questions, about 3 min left",
        "12/100 questions, about 3 min left",
    ]


def test_what_was_there_already_does_not_shorten_the_estimate(clock, capsys):
    assert told(clock, capsys, (0, 0), (0.1, 80), (10, 85)) == ["85/100 questions, about 30 s left"]


def test_the_end_has_nothing_left(clock, capsys):
    assert told(clock, capsys, (0, 0), (60, 100)) == ["100/100 questions"]


@pytest.mark.parametrize(("seconds", "words"), [(119.0, "119 s"), (180.0, "3 min"), (7200.0, "2.0 h")])
def test_durations(seconds, words):
    assert progress._duration(seconds) == words


def test_a_word_stands_behind_what_is_done(clock, capsys):
    with progress.watching("orders") as tell:
        clock.now += 10
        tell(5, 10, "2 of 9 flaky")
    assert capsys.readouterr().err == "5/10 orders, 2 of 9 flaky, about 10 s left\n"


def test_what_has_no_end_is_told_now_and_then(clock, capsys):
    tell = progress.now_and_then()
    for seconds, word in ((9, "one"), (1, "two"), (9, "three"), (1, "four")):
        clock.now += seconds
        tell(word)
    assert capsys.readouterr().err == "two\nfour\n"

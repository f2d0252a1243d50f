import copy
import itertools
import json
from dataclasses import replace
from html.parser import HTMLParser

import pytest
import torch
from families import model, tokenizer

from parataxis.errors import BadInput
from parataxis.lm.endpoint import Endpoint
from parataxis.lm.models import LanguageModel
from parataxis.methods.set_prompting.order_audit import METHODS, accuracies, order_audit
from parataxis.methods.set_prompting.plot import COLOURS, draw, picture
from parataxis.methods.set_prompting.questions import Question
from parataxis.methods.set_prompting.report import Symmetry
from parataxis.methods.set_prompting.summary import Estimate

# As long as one another, so that neither the sum nor the mean is for the shortest.
WORDS = ("aaaa", "abba", "thet", "cdcd", "ghgh", "xyxy", "zzzz", "opop")
PICKED = list(itertools.permutations(WORDS, 4))
FLIPPED = [Question(f"q{n}", f"Which <b>{n * 7}</b> $x$?", PICKED[n * 67][:3], n % 3) for n in (7, 8)]  # reversed
QUESTIONS = [Question(f"q{n}", f"Which <b>{n * 7}</b> $x$?", PICKED[n * 67], n % 4) for n in range(20)]


@pytest.fixture(scope="module")
def lm():
    return LanguageModel(model("llama"), tokenizer(), "tiny")


@pytest.fixture(scope="module")
def report(lm):
    return order_audit(QUESTIONS, lm, scoring="mean", title="made")


class Positional(Endpoint):
    """Says what stands in a place, with one word around it; of one kind of question now this, now that."""

    def __init__(self, fickle=False):
        self.url, self.model, self.fickle, self.asked = "http://nowhere", "made", fickle, 0

    def ask(self, messages):
        self.asked += 1
        options = [line[2:] for line in messages[0]["content"].splitlines() if line.startswith("- ")]
        return f"Well: {options[self.asked % len(options) if self.fickle else 0]}."


def test_side_by_side(report):
    plain, sort, other, sets = report.summaries
    assert [each.method for each in report.summaries] == ["plain", "sort", "sort-descending", "set-based"]
    assert plain.flips.value > 0
    assert [(each.flips.value, each.flips.high) for each in (sort, other, sets)] == [(0, 0)] * 3
    assert report.verdict(sets) == "invariant and symmetric"
    assert report.exit_status == (plain.flips.low > 0)
    assert report.twin.value > 0
    assert report.symmetry.holds
    assert report.symmetry.moved > 0  # laid out as given: rounding, which sorting would have hidden
    assert report.asked <= 20 * (2 + 2 + 1)


def test_a_method_that_only_sorts_is_not_called_symmetric(report):
    moved = replace(report, symmetry=Symmetry(5, 0.3, 1.0, 1e-4), twin=Estimate(0.3, 0.1, 0.5))
    assert moved.verdict(moved.of("set-based")) == "NOT symmetric: its scores move"
    assert moved.verdict(moved.of("sort")) == "invariant, not symmetric"
    assert replace(report, twin=Estimate(0.1, 0.0, 0.2)).verdict(report.of("sort")) == "invariant"


def test_rounding_of_half_precision_is_not_called_dependence(lm):
    half = LanguageModel(copy.deepcopy(lm.model).to(torch.bfloat16), lm.tokenizer, lm.name)
    report = order_audit(QUESTIONS[:3], half, names=["set-based"], scoring="mean")
    for share, verdict in ((0.02, "invariant and symmetric"), (0.2, "NOT symmetric: its scores move")):
        moved = replace(report, symmetry=replace(report.symmetry, moved=share * report.symmetry.scale))
        assert moved.verdict(moved.of("set-based")) == verdict


def test_another_sample_of_pride_is_another_answer(lm, tmp_path):
    """More questions, another sample: rows kept of the smaller one are not of this audit."""
    kept = [order_audit(QUESTIONS[:n], lm, names=["pride"], journal=tmp_path / "rows.jsonl") for n in (3, 20)]
    anew = order_audit(QUESTIONS, lm, names=["pride"])
    assert [row.scores for row in kept[1].rows] == [row.scores for row in anew.rows]
    assert [row.scores for row in kept[0].rows] != [row.scores for row in anew.rows[:3]]


def test_the_text_says_what_was_found(report):
    text = str(report)
    plain = report.of("plain")
    assert text.startswith(f"made: reversing the options changes {100 * plain.flips.value:.0f}% [")
    assert "20 questions, model tiny, template list, scoring mean, orders two, seed 0" in text
    assert "set-based        1      0%   " in text
    assert "sorted the other way" in text
    assert max(map(len, text.splitlines())) <= 140


def test_all_orders_and_every_method(lm, tmp_path):
    names = list(METHODS)
    few = [*FLIPPED, Question("short", "Which?", ("thet", "thet"), 1)]
    report = order_audit(few, lm, names=names, kind="all", scoring="mean", journal=tmp_path / "rows.jsonl", title="few")
    by_name = {each.method: each for each in report.summaries}
    assert by_name["plain"].spread.orders == 6
    assert by_name["plain"].alike == 2
    assert [by_name[name].calls for name in ("plain", "sort", "set-based")] == [1, 1, 1]
    assert by_name["permute-average"].calls == (2 * 6 * 6 + 2 * 2) / (2 * 6 + 2)
    assert by_name["majority-vote-cyclic"].calls == (2 * 6 * 3 + 2 * 2) / (2 * 6 + 2)
    for name, each in by_name.items():
        if name in ("sort", "set-based", "permute-average", "majority-vote"):
            assert each.moved.value == 0, name
    assert report.asked == 2 * 6 + 1 + 3  # orders of two questions; of the third, whose options are one; a set of each
    again = order_audit(few, lm, names=names, kind="all", scoring="mean", journal=tmp_path / "rows.jsonl", title="few")
    assert again.asked == 0
    assert again.summaries == report.summaries
    assert "some order changes" in str(report)
    assert "plain over 6 orders: accuracy from" in str(report)
    changes, right, spread, slots, questions = draw(report).axes
    assert len(changes.get_yticklabels()) == len(slots.get_lines()) == len(questions.get_yticklabels()) == len(COLOURS)
    assert "all 6 orders" in right.get_xlabel()
    assert spread.get_xlim()[0] == 0
    assert picture(report).startswith(b"\x89PNG")  # with room for eight rows: else matplotlib warns


def test_averaging_over_orders_is_called_what_it_is(lm):
    """It asks in all k! orders, so that none is left to change; the mean over orders of plain takes nothing away."""
    names = ["plain", "permute-average", "permute-average-cyclic", "majority-vote", "set-based"]
    report = order_audit(FLIPPED, lm, names=names, kind="all", scoring="mean")
    verdicts = {each.method: report.verdict(each) for each in report.summaries}
    assert verdicts["plain"] == "order-dependent"
    assert verdicts["permute-average"] == verdicts["majority-vote"] == "invariant, not symmetric"
    assert not verdicts["permute-average-cyclic"].startswith("invariant")
    assert [name for name, verdict in verdicts.items() if "and symmetric" in verdict] == ["set-based"]
    assert report.of("permute-average").calls == 6
    text = str(report)
    told = (
        "permute-average: invariant because it asks in all k! orders, 6 prompts an answer; each is read in its order, "
    )
    assert told + "none as a set\n" in text
    (mean,) = [line for line in text.splitlines() if line.startswith("plain over 6 orders: accuracy from")]
    assert "invariant" not in mean
    assert report.exit_status == 1  # however equal the mean


def test_the_figure_draws_what_was_found(report):
    changes, right, spread, slots, questions = draw(report).axes
    shown = [report.of(name) for name in ("plain", "sort", "set-based")]
    assert [label.get_text().split()[0] for label in changes.get_yticklabels()] == [each.method for each in shown]
    marks = [line.get_xdata()[0] for line in changes.get_lines() if len(line.get_xdata()) == 1]
    assert marks == [shown[0].flips.value, 0, report.twin.value, 0]
    whiskers = [tuple(line.get_xdata()) for line in changes.get_lines() if len(line.get_xdata()) == 2]
    assert whiskers[0] == (shown[0].flips.low, shown[0].flips.high)
    filled = [bar.get_width() for bar in right.patches if bar.get_x() == 0]
    assert filled == [each.worst.value for each in shown]
    hatched = [bar.get_x() + bar.get_width() for bar in right.patches if bar.get_x() > 0]
    assert hatched == pytest.approx([shown[0].best.value])
    assert [line.get_xdata()[0] for line in spread.get_lines() if len(line.get_xdata()) == 1] == [
        each.recall.value for each in shown
    ]
    for line, each in zip(slots.get_lines(), shown, strict=True):
        assert list(line.get_ydata()) == [found.value for found in each.slots]
    assert questions.images[0].get_array().shape == (3, report.n)


def test_a_report_is_written_whole(report, tmp_path):
    files = report.write(tmp_path / "out")
    assert [each.name for each in files] == ["report.html", "report.json", "order.png", "order.svg"]
    kept = json.loads(files[1].read_text())
    assert kept["summaries"][0]["flips"]["value"] == report.of("plain").flips.value
    assert kept["exit_status"] == report.exit_status
    page = files[0].read_text()
    parser = HTMLParser()
    parser.feed(page)
    assert "&lt;b&gt;" in page
    assert "Which <b>" not in page
    assert "plain, given order" in page
    assert files[2].read_bytes().startswith(b"\x89PNG")
    assert files[3].read_text() in page


def test_an_endpoint_that_answers_by_place():
    report = order_audit(QUESTIONS, Positional())
    plain = report.of("plain")
    assert (plain.flips.value, plain.noise.value, plain.unanswered) == (1, 0, 0)
    assert [each.value for each in plain.slots] == [1, 0, 0, 0]
    assert report.exit_status == 1
    assert report.of("majority-vote-cyclic").calls == 4
    assert report.symmetry is report.gap is None
    assert report.scoring == "written"
    assert "asking again 0%" in str(report)


def test_an_endpoint_that_answers_by_chance_is_not_blamed_on_the_order():
    report = order_audit(QUESTIONS, Positional(fickle=True), names=["plain"])
    assert report.of("plain").flips.low > 0.2
    assert report.of("plain").noise.low > 0.2
    assert report.exit_status == 0
    assert report.verdict(report.of("plain")) == "no dependence shown"


@pytest.mark.parametrize("name", ["set-based", "permute-average", "pride"])
def test_an_endpoint_can_not_be_opened(name):
    with pytest.raises(BadInput, match=f"method='{name}': needs a model that can be opened"):
        order_audit(QUESTIONS[:2], Positional(), names=[name])


def test_unknown_names(lm):
    with pytest.raises(BadInput, match="method='shuffle': expected one of plain, sort"):
        order_audit(QUESTIONS[:2], lm, names=["shuffle"])
    with pytest.raises(BadInput, match="template='x'"):
        order_audit(QUESTIONS[:2], lm, layout="x")


def test_accuracies_of_each_scoring(lm, tmp_path):
    told = []
    found = accuracies(
        QUESTIONS[:6], lm, names=["plain", "pride"], scorings=["sum", "mean"], watch=lambda *done: told.append(done)
    )
    assert [(each.method, each.scoring) for each in found] == [
        ("plain", "sum"),
        ("pride", "sum"),
        ("plain", "mean"),
        ("pride", "mean"),
    ]
    assert [each.calls for each in found] == [1, 1.5, 1, 1.5]  # one question in four orders, five in one
    assert told[-1] == (12, 12)
    both = order_audit(QUESTIONS[:6], lm, names=["plain"])
    assert found[0].right == both.of("plain").normal

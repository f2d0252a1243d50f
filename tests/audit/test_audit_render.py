import contextlib
import io
import json
import random
import re

import numpy as np
import pytest

from parataxis.audit import Verdict, audit
from parataxis.audit.page import html
from parataxis.audit.plot import draw_where, svg


def before(items):
    return items.index("h") < items.index("d") if {"d", "h"} <= set(items) else None


@pytest.fixture(scope="module")
def dependent():
    return audit(before, "abcdefghij")


@pytest.fixture(scope="module")
def invariant():
    return audit(lambda items: len(items), range(10))


@pytest.fixture(scope="module")
def per_item():
    chance = random.Random(4)

    def system(items):
        return [chance.random() < (0.95 if item == 4 and place < 4 else 0.05) for place, item in enumerate(items)]

    return audit(system, range(8), per_item=True)


def test_what_a_person_reads_of_a_dependence(dependent):
    assert str(dependent) == (
        "order-dependent: The order of the items changes the outcome; the witness shows it.\n"
        "  confirmed over the noise at alpha=0.05, minimised and replayed\n"
        "\n"
        "  noise     repeats of the given order: differ in 0 of 10 (0 %, 0 % to 42 %)\n"
        f"  effect    other orders: differ in {dependent.effect}\n"
        f"  orders    reverse, covering, tuscan, random, in {dependent.calls} calls, stopped early\n"
        "  covered   all pairs of items in both orders, all neighbours, all places and all triples in all orders\n"
        "\n"
        "  witness   2 of 10 items, none of which can be left out\n"
        "            [3] 'd'\n"
        "            [7] 'h'\n"
        "  given     3, 7\n"
        "            gives False\n"
        "            replayed, differs from the given order's in 0 of 3\n"
        "  other     7, 3\n"
        "            gives True\n"
        "            replayed, differs from the given order's in 3 of 3\n"
        "  left out  8 items: they do not matter to this\n"
        "  reproduce print(system([items[i] for i in [3, 7]])); print(system([items[i] for i in [7, 3]]))"
    )


def test_the_line_that_reproduces_does(dependent):
    line = str(dependent).splitlines()[-1].removeprefix("  reproduce ")
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(line, {"system": before, "items": "abcdefghij"})
    assert said.getvalue() == "False\nTrue\n"


def test_what_a_person_reads_of_an_invariance(invariant):
    assert str(invariant).startswith(f"invariant: {Verdict.INVARIANT.sentence}\n  at most 3.")
    assert "witness" not in str(invariant).split("\n", 1)[1]
    assert "stopped early" not in str(invariant)


def test_what_a_person_reads_per_item(per_item):
    text = str(per_item)
    assert "1 of 8 items' own outcomes depend on the order (false discovery rate at most 0.05):\n    [4] 4: " in text
    assert "outcome   of item [4]" in text


def test_long_outcomes_are_cut_and_addresses_left_out():
    class Thing:
        pass

    found = audit(lambda items: ["x" * 500, items[0], {"thing": Thing()}["thing"] and None], [Thing(), Thing()])
    assert max(map(len, str(found).splitlines())) < 140
    assert not re.search("0x[0-9a-f]{4}", str(found) + found.to_json() + found.to_html())


def test_the_frame_has_a_row_an_order_or_an_item(dependent, per_item):
    frame = dependent.to_frame()
    assert frame.columns.tolist() == ["try", "order", "differs"]
    assert len(frame) == dependent.effect.orders
    assert frame.differs.mean() == dependent.effect.rate
    assert frame.order[0] == list(range(9, -1, -1))
    items = per_item.to_frame()
    assert items[items.found].place.tolist() == [4]
    assert ((items.low <= items.rate) & (items.rate <= items.high)).all()
    assert items.rate[4] > 0.3 > items.noise[4]


def test_json_says_the_same(dependent, invariant, per_item):
    for found in (dependent, invariant, per_item):
        told = json.loads(found.to_json())
        assert told == found.to_dict()
        assert told["format"] == 1
        assert told["verdict"] == found.verdict.value
        assert told["effect"]["differ"] == found.effect.differ == sum(np.any(row["differs"]) for row in told["trials"])
        assert told["calls"] == found.calls
    told = dependent.to_dict()["witness"]
    assert told["base"] == {"items": ["d", "h"], "places": [3, 7], "outcome": False, "again": False, "differ": 0}
    assert told["other"]["places"] == [7, 3]
    assert (told["minimal"], told["replayed"]) == (True, "confirmed")
    assert invariant.to_dict()["witness"] is None


def test_json_has_no_nan_and_holds_what_json_cannot():
    found = audit(lambda items: [float("nan"), items[0], {1j}], [float("inf"), float("nan")])
    told = json.loads(found.to_json(), parse_constant=lambda name: pytest.fail(name))
    assert "nan" in told["witness"]["base"]["outcome"]


def test_the_page_needs_nothing_else(dependent, invariant, per_item):
    for found in (dependent, invariant, per_item):
        page = found.to_html()
        assert page == found.to_html()
        assert not re.search(r'(src|href)="(?!#|data:)|url\((?!#)|<script|@import', page)
        assert found.verdict.value in page
        assert found.reason[1:] in page
        assert page.count("<svg") == (1 if found is invariant else 2)
        assert page.count("<svg") == page.count("</svg>")


def test_what_is_given_is_text_in_the_page():
    found = audit(lambda items: f"<b>{items[0]}", ["<i>1</i>", "<i>2</i>", "$x$"])
    page = html(found, "run --replay '<1>'")
    assert "<i>" not in page
    assert "<b>" not in page
    assert "&lt;1&gt;" in page
    assert "<text" in svg(found.plot())


def test_the_figure_shows_what_was_measured(dependent, per_item):
    from matplotlib.figure import Figure

    axes = dependent.plot()
    marks = [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "o"]
    assert marks == [0, dependent.effect.rate]
    tiles = axes.child_axes[0].images[0].get_array()
    assert tiles.sum() == dependent.effect.differ
    own = Figure().add_subplot()
    assert per_item.plot(own) is own
    assert len(own.get_yticklabels()) == 2 + 8
    shares = draw_where(dependent).images[0].get_array()
    assert (shares[7, 3], shares[3, 7]) == (1, 0)  # h before d, d before h

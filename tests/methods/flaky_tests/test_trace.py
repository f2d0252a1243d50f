"""The line that left a change: a suite whose lines say in a comment what they leave, run and then run traced."""

import re

import pytest
from hunts import open_lab

from parataxis.methods.flaky_tests.diagnose import Case
from parataxis.methods.flaky_tests.diagnosis import Chain, Change, Dependence, Diagnosis
from parataxis.methods.flaky_tests.explanation import explanation
from parataxis.methods.flaky_tests.session import Order

pytestmark = pytest.mark.usefixtures("forks")

FILES = {
    "test_left.py": """
import decimal, json, locale, logging, os, signal, sys, threading, time
import contextvars, dataclasses
import plugin, pytest, shop
from helper import configure, handler

NUMBER = 1
RECENT = []
var = contextvars.ContextVar("language")


@dataclasses.dataclass
class Cart:
    limit = 3
    total: int = 0


cart = Cart()


def restored():
    os.environ["RESTORED"] = "first"
    del os.environ["RESTORED"]


def test_leaves_it(colour, shared, tmp_path):
    global NUMBER
    restored()
    os.environ["TWICE"] = "first"
    del os.environ["TWICE"]
    os.environ["TWICE"] = "second"  # os.environ['TWICE']
    os.environ["TWICE"] = "second"
    os.chdir(tmp_path)  # current folder
    signal.signal(  # signal.SIGUSR1
        signal.SIGUSR1,
        handler,
    )
    configure()
    logging.getLogger("new").setLevel(0)
    logging.getLogger("new").addHandler(logging.NullHandler())  # logging.getLogger('new')
    plugin.touch()  # os.environ['TOUCHED']
    import late  # sys.modules['late']
    NUMBER = 2  # test_left.NUMBER
    Cart.limit = 4  # test_left.Cart.limit
    cart.__init__(5)  # test_left.cart.total
    shop.register("pear")
    json.dumps = handler  # json.dumps
    sys.path.append("/nowhere")  # sys.path
    os.umask(0o77)  # umask
    locale.setlocale(locale.LC_NUMERIC, "C.UTF-8")  # locale
    decimal.getcontext().prec = 3  # decimal.getcontext()
    var.set("en")  # language
    with open(shop.FILE, "w") as stream:  # kept.txt
        stream.write("x")
        stream.flush()
        time.sleep(0)
    with open(shop.OLD, "a") as stream:
        stream.write("x")
        stream.flush()  # old.txt
        time.sleep(0)
    [RECENT.append(n) for n in range(3)]  # test_left.RECENT
    thread = threading.Thread(target=shop.aside)
    thread.start(), thread.join()  # shop.threads
    threading.Thread(target=time.sleep, args=(50,), name="worker", daemon=True).start()  # thread 'worker'


def test_price(): pass
""",
    "helper.py": """
import logging


def handler(*_): pass


def configure():
    logging.getLogger().addHandler(logging.NullHandler())  # logging.getLogger().handlers
""",
    "late.py": 'import os\nos.environ["LATE"] = "1"  # os.environ[\'LATE\']\n',
    "shop.py": """
import os
FILE, OLD = (os.path.join(os.path.dirname(__file__), name) for name in ("kept.txt", "old.txt"))
prices, threads = {}, []


def register(name):
    prices.update({name: 1})  # shop.prices['pear']
    prices["plum"] = 1
    del prices["plum"]


def aside():
    threads.append(1)
""",
    "conftest.py": """
import os
import pytest
pytest_plugins = ["plugin"]


@pytest.fixture
def colour():
    os.environ["COLOUR"] = "red"  # os.environ['COLOUR']
    os.environ["GONE"] = "1"
    yield
    os.environ["GONE"] = "2"  # os.environ['GONE']


@pytest.fixture(scope="module")  # fixture shared
def shared(monkeypatch_of_module):
    monkeypatch_of_module.setenv("SHARED", "1")  # os.environ['SHARED']


@pytest.fixture(scope="module")  # fixture monkeypatch_of_module
def monkeypatch_of_module():
    with pytest.MonkeyPatch.context() as patch:
        yield patch
""",
    "old.txt": "x",
    "pytest.ini": "[pytest]\npythonpath = . ../site-packages\n",
    "../site-packages/plugin.py": """
import os
import pytest


def touch():
    os.environ["TOUCHED"] = "1"


@pytest.fixture(autouse=True)
def plugged():
    os.environ["PLUGGED"] = "1"  # os.environ['PLUGGED']
""",
}

# Tests that notice that they are traced: one fails, one takes the trace away, and one is not the line it was.
NOTICED = """
import os, sys
STATE = []


def test_fails():
    STATE.append(1)
    assert sys.gettrace() is None


def test_price(): pass


def test_takes_it_away():
    STATE.append(1)
    sys.settrace(None)
    STATE.append(2)


def test_leaves_one():
    os.environ["COLOUR"] = "red"
    sys.settrace(lambda *_: None)
"""


def write(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return folder


def located(lab, *order):
    """Where each change was made that an order leaves, by name."""
    (done,) = lab.run([Order("lab", 0, order, probes=((1,),), look=True)])
    holders = tuple({tuple(holder) for row in done.changes for holder in row["holders"]})
    (traced,) = lab.run([Order("lab", 0, order, trace=holders)])
    assert traced.outcomes == done.outcomes == "." * len(order), traced.messages
    assert [row["name"] for row in traced.changes] == [row["name"] for row in done.changes]
    return {row["name"]: row["where"] for row in traced.changes}


def test_each_change_has_the_line_that_made_it_last(tmp_path):
    """A plugin's own line only where the suite has none."""
    place = tmp_path / "suite"
    expected = {
        comment.group(1): f"{place / name if name.startswith('..') else name}:{number}".replace("suite/../", "")
        for name, text in FILES.items()
        for number, line in enumerate(text.splitlines(), 1)
        if (comment := re.search(r"  # (.*)", line))
    }
    with open_lab(write(place, FILES), ()) as lab:
        found = located(lab, 0)
    assert {name: found.get(name) for name in expected} == expected
    assert {name for name in found if name not in expected} <= {"test_left.Cart", "os.environ", "sys.modules['late']"}


def test_a_test_that_notices_keeps_its_changes_without_lines(tmp_path):
    with open_lab(write(tmp_path, {"test_noticed.py": NOTICED, "pytest.ini": "[pytest]\n"}), ()) as lab:
        for place, names in ((0, ["STATE"]), (2, ["STATE"]), (3, ["COLOUR", "gettrace"])):
            changes = Case(lab, 1, ".", ".", ".", [])._changes((place,))
            assert [any(name in change.name for change in changes) for name in names] == [True] * len(names)
            assert {change.where for change in changes} == {""}


def test_culprits_that_leave_the_same_are_told_together_with_the_line_of_each():
    places = ["test_a.py:3", "", "test_a.py:9", "test_a.py:9", "test_b.py:1", "test_b.py:2"]
    chains = tuple(
        Chain((f"test_{n}",), changes=(Change("umask", "umask", "18", "63", place, True),))
        for n, place in enumerate(places)
    )
    lines = explanation(Diagnosis("test_x", Dependence.VICTIM, ".", ".", chains=chains))
    assert lines[1:3] == [
        "polluters: test_0; test_1; test_2 and 3 more",
        "  leaves umask: 18 -> 63 (test_a.py:3, test_a.py:9, test_b.py:1, ...); with this undone, it passes again",
    ]

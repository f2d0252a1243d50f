"""A small project to plant changes in, and what plants them: a fork of one interpreter for each."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SITE = os.path.dirname(os.path.dirname(pytest.__file__))
SHOP = """\
import collections, functools, logging, threading
prices = {"apple": 1}
names = ["x", "y"]
tags = {"t"}
recent = collections.deque([1, 2])
raw = bytearray(b"ab")
ordered = collections.OrderedDict(a=1, b=2)
nested = {"deep": [{"er": []}]}
pair = ([], 1)
number = 1000
class Cart:
    limit = 3
    items = []
    def __init__(self):
        self.total, self.lines = 0, []
class Slotted:
    __slots__ = ("a", "b")
cart, slotted = Cart(), Slotted()
slotted.a = 1
def make():
    total, seen = 0, []
    def count(n):
        nonlocal total
        total += n
        seen.append(n)
    def look():
        seen.append(0)
    return count, look
count, look = make()
@functools.lru_cache
def square(n):
    return n * n
def collect(thing, into=[], *, also={}):
    into.append(thing)
def tally():
    tally.calls += 1
tally.calls = 0
logger = logging.getLogger("shop")
local = threading.local()
local.user = "nobody"
many = {n: n for n in range(100)}
crowd = {n: [] for n in range(150)}
foreign = type("Foreign", (), {"__module__": "a_library", "x": 0})()
globals().update(("filler%d" % n, n) for n in range(150))
"""
CORE = "registry = {}\ndef now(): return 1\nfrom . import early\n"
EARLY = "from .core import registry\n"  # loaded before what it imports from
PACKAGE = "from .core import now, registry\n"
TESTS = "from store import now, registry\nfrom shop import prices\nclass TestOne: pass\n"

RUN = """
import contextlib, json, os, sys
sys.path[:0] = [WORKER, ROOT]
import _parataxis_state as state
import asyncio, contextvars, decimal, gc, locale, logging, signal, socket, threading, time, traceback, warnings
import test_shop, shop, store, store.core, PLANTED
var = contextvars.ContextVar("language")
var.set("de")
root = logging.getLogger()
for number, code in enumerate(CODES):
    if os.fork() == 0:
        before = state.State([ROOT, HOME])
        try:
            exec(code, {**globals(), "before": before})
            changes = before.changes()
            rows = [change.to_row() for change in changes]
            done = [change.undo() for change in changes]
            row = {"rows": rows, "done": done, "left": [c.to_row() for c in before.changes()]}
        except BaseException:
            row = {"error": traceback.format_exc()}
        with open("%s/%d" % (OUT, number), "w") as stream:
            json.dump(row, stream)
        os._exit(0)
    os.wait()
"""

HOSTILE = """
import collections, functools, sys, types, weakref
touched = []
armed = False
def hit(name):
    def method(*args, **kwargs):
        if armed:
            touched.append(name)
            raise SystemExit(name)
        return {"__hash__": lambda: 1, "__eq__": lambda: args[0] is args[1]}.get(name, lambda: None)()
    return method
NAMES = "__eq__ __ne__ __repr__ __str__ __hash__ __bool__ __len__ __iter__ __contains__ __getitem__ __call__ __format__"
NAMES += " __getattr__ __del__ __instancecheck__ __subclasscheck__ __reduce__ __copy__ __deepcopy__ keys items copy"
hostile = {name: hit(name) for name in NAMES.split()}
Meta = type("Meta", (type,), {n: hostile[n] for n in ("__eq__", "__hash__", "__repr__", "__getattr__", "__iter__")})
def forbidden(self, name):
    if armed:
        touched.append(name)
        raise SystemExit(name)
    return object.__getattribute__(self, name)
class Odd:
    __getattribute__ = forbidden
    @property
    def __class__(self): return touched.append("__class__") or int
class Proxy:
    __slots__ = ("__wrapped", "__dict__")
    locals().update({n: hostile[n] for n in ("__getattr__", "__eq__", "__hash__", "__repr__")})
    @property
    def __class__(self): raise SystemExit("__class__")
class NoDict:
    @property
    def __dict__(self): raise SystemExit("__dict__")
class OddMeta(metaclass=Meta):
    value = []
OddDict = type("OddDict", (dict,), hostile)
OddList = type("OddList", (list,), hostile)
OddSet = type("OddSet", (set,), hostile)
OddStr = type("OddStr", (str,), hostile)
OddInt = type("OddInt", (int,), hostile)
class Key:
    locals().update({n: hostile[n] for n in ("__eq__", "__hash__", "__repr__")})
class Module(types.ModuleType):
    __getattr__ = hostile["__getattr__"]
class Locked:
    def __setattr__(self, name, value): raise SystemExit("__setattr__")
odd, proxy, no_dict, meta, locked = Odd(), Proxy(), NoDict(), OddMeta(), Locked()
odd_dict, odd_list, odd_set = OddDict(a=1), OddList([1]), OddSet()
odd_str, odd_int = OddStr("s"), OddInt(3)
by_key = {Key(): [1]}
itself = {}; itself["me"] = itself
ring = []; ring.append(ring)
huge = list(range(20000))
deep = []
for _ in range(5000): deep = [deep]
class Plain: pass
held = Plain()
weak, weak_set, weak_keys = weakref.ref(held), weakref.WeakSet([held]), weakref.WeakKeyDictionary({held: 1})
weak_proxy = weakref.proxy(held)
partial = functools.partial(print, held)
generator = (n for n in [1])
view = {}.keys()
sys.modules["ghost"] = odd
sys.modules["ghost2"] = Module("ghost2")
class Lazy(types.ModuleType): pass
Lazy.__name__ = "_LazyModule"
sys.modules["lazy"] = Lazy("lazy")
sys.modules[7] = odd
big = 10 ** 9000
nan = float("nan")
"""

FIXTURES = """\
import sys; sys.path.append(SITE)
import pytest, unittest
@pytest.fixture(scope="class")
def base(request): request.cls.base = 1
@pytest.fixture(scope="class")
def locale(request, base): request.cls.locale = 1
@pytest.fixture(autouse=True)
def always(request): request.cls.always = 1
@pytest.mark.usefixtures("locale")
class TestMarked: pass
class TestPlain: pass
class TestOld(unittest.TestCase):
    @classmethod
    def setUpClass(cls): cls.shared = 1
"""


def run(tmp: Path, worker_folder: str, codes: list[str], planted: str = "") -> list[dict]:
    """For each code what was found, whether it could be undone, and what was left after that."""
    root, home, out = (tmp / name for name in ("project", "home", "out"))
    for folder in (root / "store", root / "data", home, out):
        folder.mkdir(parents=True)
    texts = {
        "test_shop.py": TESTS,
        "data/table.csv": "1,2",
        "data/old.csv": "3",
        "planted.py": planted.replace("SITE", repr(SITE)),
    }
    files = {
        "shop.py": SHOP,
        "store/core.py": CORE,
        "store/early.py": EARLY,
        "store/__init__.py": PACKAGE,
        "test_shop.py": TESTS,
    }
    for name, text in {**files, **texts}.items():
        (root / name).write_text(text)
    given = {"WORKER": worker_folder, "ROOT": str(root), "HOME": str(home), "OUT": str(out), "CODES": codes}
    code = "\n".join([*(f"{name} = {value!r}" for name, value in given.items()), RUN.replace("PLANTED", "planted")])
    ran = subprocess.run(
        [sys.executable, "-S", "-B", "-c", code], cwd=root, capture_output=True, text=True, timeout=300
    )
    assert ran.returncode == 0, ran.stderr
    return [json.loads((out / str(number)).read_text()) for number in range(len(codes))]

"""What a test leaves behind: planted in a small project, one change at a time, each in a fork of one interpreter."""

import pytest
from planted_state import FIXTURES, HOSTILE, run

# code: (kind, name, before, after); None is not looked at
CASES = {
    # -- the project's own objects
    "shop.prices['pear'] = 2": ("container", "shop.prices['pear']", "(absent)", "2"),
    "shop.prices['apple'] = 2": ("container", "shop.prices['apple']", "1", "2"),
    "shop.prices.clear()": ("container", "shop.prices['apple']", "1", "(absent)"),
    "shop.names.append('z')": ("container", "shop.names", "['x', 'y']", "['x', 'y', 'z']"),
    "shop.names.reverse()": ("container", "shop.names", "['x', 'y']", "['y', 'x']"),
    "shop.tags.add('u')": ("container", "shop.tags", "{'t'}", "{'t', 'u'}"),
    "shop.recent.rotate()": ("container", "shop.recent", "[1, 2]", "[2, 1]"),
    "shop.raw[0] = 0": ("container", "shop.raw", "b'ab'", r"b'\x00b'"),
    "del shop.ordered['a']": ("container", "shop.ordered['a']", "1", "(absent)"),
    "shop.nested['deep'][0]['er'] += [1]": ("container", "shop.nested['deep'][0]['er']", "[]", "[1]"),
    "shop.pair[0].append(1)": ("container", "shop.pair[0]", "[]", "[1]"),
    "shop.number = 2": ("module global", "shop.number", "1000", "2"),
    "del shop.number": ("module global", "shop.number", "1000", "(absent)"),
    "shop.new = 1": ("module global", "shop.new", "(absent)", "1"),
    "shop.Cart.limit = 4": ("class attribute", "shop.Cart.limit", "3", "4"),
    "shop.Cart.added = 4": ("class attribute", "shop.Cart.added", "(absent)", "4"),
    "shop.Cart.items.append(1)": ("container", "shop.Cart.items", "[]", "[1]"),
    "shop.cart.total = 5": ("object attribute", "shop.cart.total", "0", "5"),
    "shop.cart.lines.append(5)": ("container", "shop.cart.lines", "[]", "[5]"),
    "shop.cart.__dict__ = {'total': 0, 'lines': shop.cart.lines, 'x': 1}": (
        *("object attribute", "shop.cart.x", "(absent)", "1"),
    ),
    "shop.slotted.a = 2": ("object attribute", "shop.slotted.a", "1", "2"),
    "shop.slotted.b = 2": ("object attribute", "shop.slotted.b", "(absent)", "2"),
    "shop.look()": ("container", "shop.make.<locals>.count.seen", "[]", "[0]"),
    "shop.square(2)": ("cache", "shop.square", "0 cached", "1 cached"),
    "shop.collect(1)": ("container", "shop.collect(into)", "[]", "[1]"),
    "shop.collect.__kwdefaults__['also'][1] = 1": ("container", "shop.collect(also)[1]", "(absent)", "1"),
    "shop.tally()": ("object attribute", "shop.tally.calls", "0", "1"),
    "shop.local.user = 'me'": ("object attribute", "shop.local.user", "'nobody'", "'me'"),
    "store.registry['a'] = 1": ("container", "store.core.registry['a']", "(absent)", "1"),
    "shop.many.update(a=1, b=2)": ("container", "shop.many", "100 items", "102 items: added 'a', 'b'"),
    "shop.crowd[7].append(1)": ("container", "shop.crowd[7]", "[]", "[1]"),
    "shop.foreign.x = 1": ("object attribute", "shop.foreign.x", "(absent)", "1"),
    "store.now = test_shop.now = lambda: 2": ("module global", "store.now and 1 more", None, None),
    # -- the process
    "os.environ['COLOUR'] = 'red'": ("environment", "os.environ['COLOUR']", "(absent)", "'red'"),
    "os.environ['HOME'] = '/x'": ("environment", "os.environ['HOME']", None, "'/x'"),
    "os.environ['TZ'] = 'Asia/Tokyo'": ("environment", "os.environ['TZ']", "(absent)", "'Asia/Tokyo'"),
    "os.chdir('/')": ("current folder", "current folder", None, "'/'"),
    "os.umask(0o77)": ("umask", "umask", None, "63"),
    "sys.path.insert(0, '/x')": ("sys", "sys.path", None, None),
    "sys.argv.append('x')": ("sys", "sys.argv", None, None),
    "sys.meta_path.append(shop.cart)": ("sys", "sys.meta_path", None, None),
    "sys.stdout = shop.cart": ("module global", "sys.stdout", None, "<shop.Cart object>"),
    "sys.excepthook = shop.make": ("module global", "sys.excepthook", None, "<function shop.make>"),
    "sys.setrecursionlimit(3000)": ("sys", "sys.getrecursionlimit()", None, "3000"),
    "sys.settrace(lambda *_: None)": ("sys", "sys.gettrace()", "None", None),
    "sys.setprofile(print)": ("sys", "sys.getprofile()", "None", "<built-in function print>"),
    "sys.modules['shop2'] = shop": ("module", "sys.modules['shop2']", "(absent)", "<module shop>"),
    "sys.modules['shop'] = None": ("module", "sys.modules['shop']", "<module shop>", "None"),
    "del sys.modules['shop']": ("module", "sys.modules['shop']", "<module shop>", "(absent)"),
    "time.time = lambda: 0.0": ("module global", "time.time", "<built-in function time>", None),
    "socket.socket.connect = shop.make": ("class attribute", "socket.socket.connect", None, None),
    "import builtins; builtins.open = shop.make": ("module global", "builtins.open", None, None),
    "import builtins; builtins._ = shop.make": ("module global", "builtins._", "(absent)", None),
    "shop.logger.setLevel(10)": ("logging", "shop.logger.level", "0", "10"),
    "shop.logger.addHandler(logging.NullHandler())": ("logging", "shop.logger.handlers", "[]", None),
    "shop.logger.propagate = False": ("logging", "shop.logger.propagate", "True", "False"),
    "root.setLevel(1)": ("logging", "logging.getLogger().level", "30", "1"),
    "root.addHandler(logging.NullHandler())": (
        "logging",
        "logging.getLogger().handlers",
        "[]",
        "[<logging.NullHandler object>]",
    ),
    "logging.getLogger('new').disabled = True": ("logging", "logging.getLogger('new')", "(absent)", "disabled True"),
    "logging.getLogger('new').addHandler(logging.NullHandler())": (
        *("logging", "logging.getLogger('new')", "(absent)"),
        "handlers [<logging.NullHandler object>]",
    ),
    "logging.disable(50)": ("logging", "logging.disable()", "0", "50"),
    "logging.addLevelName(5, 'FINE')": ("logging", "logging._levelToName[5]", "(absent)", "'FINE'"),
    "signal.signal(signal.SIGUSR1, shop.collect)": ("signal handler", "signal.SIGUSR1", None, None),
    "signal.alarm(100)": ("signal handler", "signal.alarm", "False", "True"),
    "warnings.simplefilter('error')": ("warnings filter", "warnings.filters", None, None),
    "locale.setlocale(locale.LC_NUMERIC, 'C.UTF-8')": ("locale", "locale", None, None),
    "socket.setdefaulttimeout(1.0)": ("default timeout", "socket.getdefaulttimeout()", "None", "1.0"),
    "decimal.getcontext().prec = 3": ("decimal context", "decimal.getcontext()", None, None),
    "gc.disable()": ("gc", "gc.isenabled()", "True", "False"),
    "gc.set_threshold(9)": ("gc", "gc.get_threshold()", None, None),
    "var.set('en')": ("context variable", "language", "'de'", "'en'"),
    "asyncio.run(asyncio.sleep(0))": ("asyncio", "asyncio.get_event_loop()", None, None),
    # -- files
    "open('out.txt', 'w').write('x')": ("files", "out.txt", "(absent)", None),
    "os.mkdir('a'); open('a/b', 'w').write('x')": ("files", "a", "(absent)", None),
    "open('data/table.csv', 'w').write('1,3')": ("files", "data/table.csv", None, None),
    "os.remove('data/table.csv')": ("files", "data/table.csv", None, "(absent)"),
    "os.remove('data/table.csv'); os.remove('data/old.csv'); os.rmdir('data')": ("files", "data", None, "(absent)"),
    "os.chmod('data/old.csv', 0o600)": ("files", "data/old.csv", None, None),
    "open(HOME + '/.shoprc', 'w').write('x')": ("files", None, "(absent)", None),
}

# What nobody else would notice, or comes back by itself.
NOTHING = [
    "pass",
    "shop.number = int('1000')",
    "shop.prices['apple'] = 2; shop.prices['apple'] = 1",
    "shop.tags.add('u'); shop.tags.remove('u')",
    "logging.getLogger('asked.for'); shop.logger.isEnabledFor(10)",
    "import sched",
    "sys.last_type, sys.last_value = KeyError, KeyError('x')",
    "import re, linecache; re.compile('a+b'); linecache.getline('shop.py', 1)",
    "import tempfile; tempfile.gettempdir()",
    "1 / decimal.Decimal(3)",
    "os.environ['PYTEST_CURRENT_TEST'] = 'x'",
    "time.strptime('2020', '%Y')",
    "open('data/table.csv', 'w').write('1,2')",
    "import pickle; pickle.dumps(shop.cart)",
    "os.mkdir('__pycache__'); open('__pycache__/x', 'w').close()",
    "thread = threading.Thread(target=int); thread.start(); thread.join()",
]

# Several changes: (kind, name) of each, in the order in which they are told.
SEVERAL = {
    "shop.names = shop.names + ['z']; shop.names.append('w')": [("module global", "shop.names")],
    "shop.nested['deep'][0]['er'] += [1]; shop.nested['deep'] = 1": [("container", "shop.nested['deep']")],
    "shop.cart.total, shop.cart.x = 1, 2": [
        ("object attribute", "shop.cart.total"),
        ("object attribute", "shop.cart.x"),
        ("object attribute", "shop.cart"),
    ],
    "shop.__dict__.update((f'n{i}', i) for i in range(20))": [("module global", "shop")],
    "os.umask(0o77); open('x', 'w').close(); shop.number = 2": [
        ("module global", "shop.number"),
        ("umask", "umask"),
        ("files", "x"),
    ],
    "for i in range(200): os.environ['V%d' % i] = ''": [("environment", "os.environ")],
    "for i in range(200): open('f%d' % i, 'w').close()": None,
}


@pytest.fixture(scope="module")
def folder() -> str:
    from parataxis.methods.flaky_tests.session import WORKER

    return str(WORKER)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory, folder: str) -> dict[str, dict]:
    codes = [*CASES, *NOTHING, *SEVERAL]
    return dict(zip(codes, run(tmp_path_factory.mktemp("state"), folder, codes), strict=True))


@pytest.mark.parametrize("code", CASES)
def test_a_change_is_found_named_and_undone(found, code):
    assert "error" not in found[code], found[code]
    rows = found[code]["rows"]
    assert len(rows) == 1, rows
    expected = dict(zip(("kind", "name", "before", "after"), CASES[code], strict=True))
    assert {name: rows[0][name] for name, value in expected.items() if value is not None} == {
        name: value for name, value in expected.items() if value is not None
    }
    assert all(len(rows[0][name]) <= 120 and "0x" not in rows[0][name] for name in ("before", "after"))
    assert found[code]["done"] == [True]
    assert found[code]["left"] == []


@pytest.mark.parametrize("code", NOTHING)
def test_what_makes_no_difference_is_not_told(found, code):
    assert found[code] == {"rows": [], "done": [], "left": []}


@pytest.mark.parametrize("code", SEVERAL)
def test_the_outermost_of_several_changes_are_told_the_projects_own_first(found, code):
    rows = found[code]["rows"]
    if SEVERAL[code] is None:
        assert len(rows) == 50
    else:
        assert [(row["kind"], row["name"]) for row in rows] == SEVERAL[code]
        assert all(found[code]["done"])
        assert found[code]["left"] == []


HOSTILE_CASES = {
    "pass": set(),
    "dict.__setitem__(planted.odd_dict, 'b', 2)": {"planted.odd_dict['b']"},
    "list.append(planted.odd_list, 2)": {"planted.odd_list"},
    "set.add(planted.odd_set, 2)": {"planted.odd_set"},
    "object.__setattr__(planted.odd, 'x', planted.odd_dict)": {"planted.odd.x"},
    "type.__setattr__(planted.OddMeta, 'x', planted.proxy)": {"planted.OddMeta.x"},
    "planted.OddMeta.__dict__['value'].append(planted.odd_str)": {"planted.OddMeta.value"},
    "object.__setattr__(planted.locked, 'x', planted.odd_int)": {"planted.locked.x"},
    "next(iter(planted.by_key.values())).append(planted.proxy)": {"planted.by_key[<planted.Key object>]"},
    "planted.itself['x'] = planted.odd": {"planted.itself['x']"},
    "planted.ring.append(planted.meta)": {"planted.ring"},
    "planted.huge.append(1)": set(),  # too long to be copied
    "planted.big += 1": {"planted.big"},
    "planted.nan = float('nan')": set(),
    "planted.held = None": {"planted.held"},
    "planted.odd_str = planted.OddStr('t')": {"planted.odd_str"},
    "sys.modules['ghost'] = planted.proxy": {"sys.modules['ghost']"},
    "del sys.modules['ghost2']": {"sys.modules['ghost2']"},
}


def test_hostile_objects_do_no_harm_and_none_of_their_code_runs(tmp_path, folder):
    ending = "rows = before.changes(); assert not planted.touched, planted.touched; planted.armed = False"
    codes = [f"vars(planted).update(armed=True); {code}; {ending}" for code in HOSTILE_CASES]
    results = run(tmp_path, folder, codes, HOSTILE)
    for (code, expected), result in zip(HOSTILE_CASES.items(), results, strict=True):
        assert "error" not in result, (code, result)
        assert {row["name"] for row in result["rows"]} == expected, code
        assert result["left"] == [], code


def test_files_that_a_probe_has_put_back_are_made_again(tmp_path, folder):
    code = "os.mkdir('a'); open('a/b', 'w').write('x'); os.remove('data/old.csv'); "
    code += "open('data/table.csv', 'w').write('9'); "
    code += "first = before.changes(); rows = [c.to_row() for c in first]; [c.undo() for c in first]; "
    code += "assert before.changes() == []; assert all(c.redo() for c in first); "
    code += "assert [c.to_row() for c in before.changes()] == rows; assert open('a/b').read() == 'x'"
    (result,) = run(tmp_path, folder, [code])
    assert [row["name"] for row in result["rows"]] == ["a", "data/old.csv", "data/table.csv"]
    assert result["left"] == []


def test_with_the_variable_the_time_zone_comes_back(tmp_path, folder):
    code = "os.environ['TZ'] = 'UTC-9'; time.tzset(); assert time.localtime(0).tm_gmtoff == 9 * 3600; "
    code += "[c.undo() for c in before.changes() if c.kind == 'environment']; assert time.localtime(0).tm_gmtoff == off"
    (result,) = run(tmp_path, folder, [f"off = time.localtime(0).tm_gmtoff; {code}"])
    assert result == {"rows": [], "done": [], "left": []}


def test_what_the_set_up_of_a_class_sets_for_each_of_its_tests_is_not_told(tmp_path, folder):
    codes = [
        "planted.TestMarked.base = planted.TestMarked.locale = planted.TestMarked.always = planted.TestOld.shared = 1",
        "planted.TestMarked.other = 1",
        "planted.TestPlain.locale = 1",  # a fixture that it does not use
        "planted.TestOld.locale = 1",
    ]
    ours, *others = run(tmp_path, folder, codes, FIXTURES)
    assert ours == {"rows": [], "done": [], "left": []}
    names = [[row["name"] for row in result["rows"]] for result in others]
    assert names == [["planted.TestMarked.other"], ["planted.TestPlain.locale"], ["planted.TestOld.locale"]]


def test_what_cant_be_undone_says_so(tmp_path, folder):
    codes = [
        "threading.Thread(target=time.sleep, args=(5,), name='worker', daemon=True).start()",
        "os.close(max(before.descriptors))",
    ]
    thread, closed = run(tmp_path, folder, codes)
    assert [(row["kind"], row["name"]) for row in thread["rows"]] == [("threads", "thread 'worker'")]
    assert thread["done"] == [False]
    assert [row["kind"] for row in closed["rows"]] == ["descriptors"]
    assert closed["done"] == [False]

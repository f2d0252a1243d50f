"""The sixteen common checks: what every method owes, whatever it does. Each takes a Case and raises AssertionError.

A method's own part is tests/methods/<package>/common.py; each of its names is either what is described here or a text,
the reason why it does not apply. A name that is missing fails.

    prepare(folder)                   optional: fills the folder in which examples and bad inputs run
    HELP_EXAMPLES [(argv, agrees)]    `parataxis <argv>` stands in the help, runs, and with --json agrees(value, text)
    BAD_INPUTS [(argv, fragment)]     exit 2, one line on stderr that holds the fragment
    GOLDEN [(source, compute, expected, tolerance)]   at least one number that is known from elsewhere
    PREDICT (predict, items)          predict(items) gives one outcome an item
    SAVE (save, load)                 save(folder) and, in a fresh process, load(folder) give the same outcome
"""

import contextlib
import importlib
import importlib.metadata
import inspect
import json
import os
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from cases import LIBRARIES, Case, facts, read_common, refused

from nursery import forked
from parataxis.audit import audit
from parataxis.claims import Claim, Figure, Measurement, System, Table
from parataxis.studies import docs
from parataxis.studies.registry import Method, load_study, methods
from parataxis.studies.render import read_evidence
from parataxis.studies.runner import measure
from parataxis.studies.store import Run, Store

HEAVY = ("torch", "jax")
PASSING = ("KMP_INIT_AT_FORK", "KMP_DUPLICATE_LIB_OK")  # set by joblib and by scikit-learn when they are imported


# -- 1 to 3: the folder, its imports, what it needs ------------------------------------------------------------------


def check_01_rooms(case: Case) -> None:
    """The rooms are present, paper.toml is sound, and nothing in a claim that must be filled is empty."""
    folder, paper = case.method.folder, case.method.paper
    for room in ("__init__.py", "paper.toml", "study.py", "cli.py"):
        assert (folder / room).exists(), f"{room} is missing"
    assert len(docs.docstring(folder / "__init__.py")) > 30, "__init__.py has no docstring that says what for"
    assert paper.claims, "paper.toml has no claim"
    assert paper.symmetries, "paper.toml has no symmetry"
    for claim in paper.claims:
        assert claim.expect or claim.silent or claim.scale_reason or claim.where.startswith("not in"), (
            f"claim {claim.id!r} has neither a rule nor a word on why it has none"
        )
    study = load_study(case.method)
    for name in ("study", "toy", "systems"):
        assert callable(getattr(study, name, None)), f"study.py has no {name}"
    assert hasattr(case.method.load("cli"), "app"), "cli.py has no app"


def modules(method: Method) -> list[str]:
    """Every module of the package; folders without an __init__.py hold programs of their own, not modules."""
    found = []
    for path in sorted(method.folder.rglob("*.py")):
        folders = [method.folder, *(method.folder / each for each in path.relative_to(method.folder).parents)]
        if path.name != "__main__.py" and all((each / "__init__.py").exists() for each in folders):
            parts = path.relative_to(method.folder).with_suffix("").parts
            found.append(".".join([method.package, *(part for part in parts if part != "__init__")]))
    return found


def imported_alone(case: Case) -> list[str]:
    """Import each module in a fork of this fresh process, without any other of ours; what went wrong.

    Other people's libraries are imported once, by a first round over all modules: they are most of the time.
    """
    ours = ("parataxis", case.method.package.split(".")[0])
    sys.path[:0] = map(str, case.folders)
    wrong = []

    def alone(name: str) -> None:
        for known in [known for known in sys.modules if known.split(".")[0] in ours]:
            del sys.modules[known]
        importlib.import_module(name)

    for name in modules(case.method):
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    for name in modules(case.method):
        status, _, said = forked(lambda name=name: alone(name))
        if status or said:
            wrong.append(f"{name}: {said.strip().splitlines()[-1]}")
    return wrong


def check_02_imports(case: Case) -> None:
    """Each module imports alone, warnings being errors; help loads nothing heavy."""
    assert not (wrong := case.fresh(imported_alone)), "; ".join(wrong)
    for argv in (["--help"], [case.method.paper.command, "--help"]):
        code = (
            "import atexit, sys\n"
            f"atexit.register(lambda: print('LOADED', *[m for m in {HEAVY} if m in sys.modules]))\n"
            f"from parataxis.cli import main; main({argv}, folders={[str(each) for each in case.folders]})"
        )
        done = case.python(code)
        assert done.returncode == 0, done.stderr
        loaded = done.stdout.splitlines()[-1].split()[1:]
        assert not loaded, f"`parataxis {' '.join(argv)}` loads {', '.join(loaded)}"


def check_03_without(case: Case) -> None:
    """Without its extra, or its data and no network: one line with the remedy, exit 2."""
    paper, in_one_process = case.method.paper, ("--backend", "threading", "--store", "bare.sqlite", "--json")
    if paper.extra:
        wanted = [each for each in importlib.metadata.requires("parataxis") or [] if f"'{paper.extra}'" in each]
        names = [re.split(r"[^\w.-]", each)[0].replace("-", "_") for each in wanted]
        assert names, f"extra={paper.extra!r} is not in pyproject.toml"
        code = (
            f"import sys; sys.modules.update(dict.fromkeys({names}))\n"
            f"from parataxis.cli import main; main(folders={[str(each) for each in case.folders]})"
        )
        done = case.python(code, "run", paper.name, "--scale", "toy", *in_one_process)
        refused(done, f"pip install 'parataxis[{paper.extra}]'")
    if paper.data:
        closed = "http://127.0.0.1:9"  # the port is closed: every address is out of reach
        offline = {"HTTP_PROXY": closed, "HTTPS_PROXY": closed, "http_proxy": closed, "https_proxy": closed}
        offline |= {"NO_PROXY": "", "no_proxy": "", "PARATAXIS_DATA": str(case.folder / "nothing")}
        done = case.call("run", paper.name, "--scale", "quick", *in_one_process, **offline)
        last = done.stderr.strip().splitlines()[-1:]  # lines about fetching come before it
        refused(subprocess.CompletedProcess(done.args, done.returncode, "", "\n".join(last)), "is missing; put it at")
        assert any(each.file in last[0] for each in paper.data)
        assert "Traceback" not in done.stderr


# -- 4 to 7: the study ----------------------------------------------------------------------------------------------


def check_04_yields(case: Case) -> None:
    """The study yields all ids it owes and no others, sound ones, one by one; each is on disk before the next."""
    study = load_study(case.method).study(case.context())
    assert inspect.isgenerator(study), "study(ctx) must be a generator, so that what it has is stored at once"
    study.close()
    task, counted = case.task("run.sqlite"), []

    def count(found: Measurement | Figure | Table) -> None:
        with Store(task.store) as opened:
            (run,) = opened.runs(case.method.name)
            counted.append(len(run.rows) + len(run.figures) + len(run.tables))

    measure(task, count)
    with Store(task.store) as opened:
        (run,) = opened.runs(case.method.name)
    assert run.finished, f"the study failed: {run.error}"
    assert sorted(row.measurement.id for row in run.rows) == sorted(case.method.paper.ids)
    assert counted == list(range(1, len(counted) + 1)), "not every result was on disk before the next was begun"


def what_is_drawn(case: Case) -> list[str]:
    ctx = case.context()
    list(load_study(case.method).study(ctx))
    return sorted(ctx.drawn)


def check_05_same(case: Case) -> None:
    """Same seed, new process, other hash seed, two jobs: same rows. Another seed: others, if any are drawn."""
    first, _ = plain(case)
    sent = pickle.dumps(replace(case.task("again.sqlite"), jobs=2)).hex()
    code = (
        f"import pickle; from parataxis.studies.runner import measure; measure(pickle.loads(bytes.fromhex({sent!r})))"
    )
    done = case.python(code, PYTHONHASHSEED="1" if os.environ.get("PYTHONHASHSEED") != "1" else "2")
    assert done.returncode == 0, done.stderr
    with Store(case.folder / "again.sqlite") as opened:
        again = opened.runs(case.method.name)[-1]
    for mine, theirs in zip(facts(first), facts(again), strict=True):
        assert mine == theirs, f"other rows in a new process with jobs=2: {theirs} instead of {mine}"
    if facts(case.run_fresh("seed1.sqlite", seed=1)) == facts(first):
        drawn = {name for name in case.fresh(what_is_drawn) if not name.startswith("audit/")}
        assert not drawn, f"draws {', '.join(sorted(drawn))}, but another seed changes nothing"


def killed_after_each(case: Case) -> int:
    """Run the study in children, each killed (SIGKILL) once it has stored one more result; how many were killed."""
    if "jax" not in LIBRARIES.get(case.method.paper.extra, ()):  # which can't be forked once it has computed
        case.run("warm.sqlite")  # the imports are then done once, in the parent
    task, kills = case.task("killed.sqlite"), 0
    while True:
        child = os.fork()
        if child == 0:
            measure(task, lambda found: os.kill(os.getpid(), 9))
            os._exit(0)
        if os.waitpid(child, 0)[1] == 0:
            return kills
        kills += 1
        assert kills < 1000, "the killed study never comes to an end"


def check_06_killed(case: Case) -> None:
    """Killed after each result and resumed: the same rows, none twice."""
    kills = case.fresh(killed_after_each)
    with Store(case.folder / "killed.sqlite") as opened:
        (run,) = opened.runs(case.method.name)
    whole, _ = plain(case)
    assert run.finished, f"the killed study failed: {run.error}"
    assert kills == len(whole.rows) + len(whole.figures) + len(whole.tables)
    assert facts(run) == facts(whole), "a study that was killed and resumed has other rows"


def what_is_touched(case: Case) -> tuple[int, list[str]]:
    """Run the study in this fresh process: the run, the global states it changed, the files it wrote elsewhere."""
    import random

    def states() -> dict[str, Any]:
        import threading

        states = {
            "random state of Python": random.getstate(),
            "random state of NumPy": repr(np.random.get_state()),  # noqa: NPY002
            "floating-point error handling of NumPy": np.geterr(),
            "print options of NumPy": np.get_printoptions(),
            "current folder": os.getcwd(),
            **{f"environment's {name}": value for name, value in os.environ.items() if name not in PASSING},
            "threads": {each.name for each in threading.enumerate()},
        }
        if torch := sys.modules.get("torch"):
            states["default dtype of torch"] = torch.get_default_dtype()
            states["threads of torch"] = torch.get_num_threads()
            states["random state of torch"] = torch.get_rng_state().tolist()
        return states

    load_study(case.method)
    before, written = states(), set[str]()

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(arguments[0], str) and isinstance(arguments[2], int):
            if arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
                written.add(os.path.abspath(arguments[0]))
        elif event in ("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.truncate"):
            written.update(os.path.abspath(each) for each in arguments if isinstance(each, str))

    sys.addaudithook(hook)
    identity = case.run("plain.sqlite").id
    after = states()
    compiled = os.environ.get("JAX_COMPILATION_CACHE_DIR", str(case.folder))  # of all our tests
    own = (str(case.folder), "/dev/", os.environ["MPLCONFIGDIR"], compiled)
    files = [f"file {path}" for path in sorted(written) if not path.startswith(own) and "__pycache__" not in path]
    changed = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return identity, changed + files


PLAIN: dict[Path, tuple[Run, list[str]]] = {}  # by the folder of the method


def plain(case: Case) -> tuple[Run, list[str]]:
    """The study run as it is in a fresh process, once for all checks of a method; and what it touched."""
    if case.method.folder not in PLAIN:
        identity, touched = case.fresh(what_is_touched)
        with Store(case.folder / "plain.sqlite") as opened:
            PLAIN[case.method.folder] = opened.run(identity), touched
    return PLAIN[case.method.folder]


def check_07_untouched(case: Case) -> None:
    """Random state, current folder, environment, dtype, threads, inputs and outside files are left alone."""
    _, touched = plain(case)
    assert not touched, f"the study changes: {', '.join(touched)}"
    inputs = case.inputs()
    for symmetry, system in load_study(case.method).systems(inputs).items():
        before = pickle.dumps(system.items)
        system.run(list(system.items))
        assert pickle.dumps(system.items) == before, f"the system of {symmetry!r} changes its items"


# -- 8 to 12: order, prediction, nulls, numbers -----------------------------------------------------------------------


def systems_of(case: Case, *outcomes: str) -> list[tuple[str, System]]:
    """The systems of the symmetries with one of these outcomes; every symmetry must have one."""
    found = load_study(case.method).systems(case.inputs())
    stated = {each.id: each.outcome for each in case.method.paper.symmetries}
    assert set(found) == set(stated), f"systems() gives {sorted(found)}, paper.toml declares {sorted(stated)}"
    return [(name, found[name]) for name, outcome in stated.items() if outcome in outcomes]


def in_dtype(items: Any, dtype: type) -> list[Any] | None:
    """The items with their floating-point arrays in a dtype; None if they hold none."""
    items = list(items)
    if not any(isinstance(each, np.ndarray | np.floating) and each.dtype.kind == "f" for each in items):
        return None
    return [each.astype(dtype) if getattr(each, "dtype", np.dtype(int)).kind == "f" else each for each in items]


def check_08_symmetries(case: Case) -> None:
    """Each declared symmetry: the audit says invariant, in float32 and float64; the planted twin is caught."""
    stated = {each.id: each.outcome for each in case.method.paper.symmetries}
    for name, system in systems_of(case, "invariant", "equivariant"):
        assert system.per_item == (stated[name] == "equivariant"), f"{name!r} is {stated[name]}: per_item is wrong"
        options = {"compare": system.compare, "per_item": system.per_item, "seed": 0}
        kinds = [in_dtype(system.items, dtype) for dtype in (np.float32, np.float64)]
        for items in [each for each in kinds if each is not None] or [list(system.items)]:
            verdict = audit(system.run, items, **options).verdict.value
            assert verdict == "invariant", f"{name!r} is {verdict}"
        assert system.twin is not None, f"{name!r} has no position-dependent twin"
        verdict = audit(system.twin, list(system.items), **options).verdict.value
        assert verdict == "order-dependent", f"the twin of {name!r}, which depends on position, is {verdict}"


def check_09_may_depend(case: Case) -> None:
    """Each symmetry that may be broken: a witness is found, and its two orders differ again when they are replayed."""
    for name, system in systems_of(case, "may depend"):
        options = {"compare": system.compare, "per_item": system.per_item, "seed": 0}
        found = audit(system.run, list(system.items), **options)
        assert found.verdict.value == "order-dependent", f"{name!r} may depend, yet is {found.verdict.value}"
        base, other = list(found.witness.base), list(found.witness.other)
        assert sorted(map(repr, base)) == sorted(map(repr, other)), f"{name!r}: the witness is not one set of items"
        assert repr(system.run(base)) != repr(system.run(other)), f"{name!r}: the witness does not replay"


def check_10_predictions(case: Case) -> None:
    """Predictions one by one, in batches and shuffled agree."""
    declared = case.declared("PREDICT")
    if declared is None:
        return
    predict, items = declared
    items = list(items)
    whole = list(predict(items))
    assert len(whole) == len(items), f"{len(whole)} predictions for {len(items)} items"
    half = len(items) // 2
    order = np.random.default_rng(0).permutation(len(items)).tolist()
    back = dict(zip(order, predict([items[i] for i in order]), strict=True))
    ways = {
        "one by one": [predict([each])[0] for each in items],
        "in batches": [*predict(items[:half]), *predict(items[half:])],
        "shuffled": [back[i] for i in range(len(items))],
    }
    for way, found in ways.items():
        assert all(np.array_equal(a, b) for a, b in zip(found, whole, strict=True)), f"predictions {way} are others"


def check_11_nulls(case: Case) -> None:
    """Each rule fails on its null, in the toy's rows and in the evidence that the repository keeps."""
    paper = case.method.paper
    for run in (plain(case)[0], read_evidence(case.root / "evidence", paper)):
        for row in run.rows if run else ():
            stated = paper.find(row.measurement.id) if row.measurement.id in paper.ids else None
            if isinstance(stated, Claim) and row.claim_version == stated.version:
                assert stated.null_fails(row.measurement), (
                    f"{stated.id!r}: the rule {stated.expect!r} does not fail at null={row.measurement.null}"
                )


def check_12_golden(case: Case) -> None:
    """At least one number worked out elsewhere, its source named."""
    declared = case.declared("GOLDEN")
    assert declared is not None, "every method owes one golden number"
    for source, compute, expected, tolerance in declared:
        assert len(source) > 5, f"GOLDEN: source={source!r} names no source"
        value = compute()
        assert np.all(np.abs(np.asarray(value, float) - expected) <= tolerance), f"{source}: {value}, not {expected}"


# -- 13 to 16: the command line, files, docs --------------------------------------------------------------------------


def prepared(case: Case) -> Path:
    folder = case.folder / "prepared"
    folder.mkdir()
    if prepare := read_common(case.common, case.method).get("prepare"):
        prepare(folder)
    return folder


def check_13_help(case: Case) -> None:
    """The help's examples run; --json parses and agrees with the text; no colour codes in a pipe."""
    declared = case.declared("HELP_EXAMPLES")
    if declared is None:
        return
    folder = prepared(case)
    for argv, agrees in declared:
        command = " ".join(["parataxis", *argv])
        words = argv[:2] if len(argv) > 1 and re.fullmatch(r"[a-z][a-z-]*", argv[1]) else argv[:1]
        told, text, value = case.calls([[*words, "--help"], argv, [*argv, "--json"]], folder)
        assert command in " ".join(re.sub("[│╭╮╰╯─]", " ", told.stdout).split()), f"{command!r} is not in the help"
        for done in (told, text, value):
            assert done.returncode in (0, 1), f"{done.args}: exit status {done.returncode}: {done.stderr}"
            assert "\x1b" not in done.stdout + done.stderr, f"{done.args}: colour codes in a pipe"
        assert agrees(json.loads(value.stdout), text.stdout), f"{command}: --json and the text do not agree"


def check_14_bad_inputs(case: Case) -> None:
    """Every bad input: exit 2, named in one line, no traceback."""
    declared = case.declared("BAD_INPUTS")
    if declared is None:
        return
    folder = prepared(case)
    calls = case.calls([argv for argv, _ in declared], folder)
    for done, (_, fragment) in zip(calls, declared, strict=True):
        refused(done, fragment)


def loaded_again(case: Case) -> Any:
    return case.declared("SAVE")[1](case.folder)


def check_15_saved(case: Case) -> None:
    """Saved, then loaded in a fresh process: the same outcome."""
    declared = case.declared("SAVE")
    if declared is None:
        return
    outcome = json.loads(json.dumps(declared[0](case.folder)))
    assert case.fresh(loaded_again) == outcome, "what was loaded in a fresh process gives another outcome"


def check_16_docs(case: Case) -> None:
    """The docs page and the README's row are as generated."""
    pages = docs.rendered(case.root, methods(case.folders).values())
    own = {case.root / "README.md", case.root / "docs" / "methods" / f"{case.method.name}.md"}
    stale = [path.name for path in docs.stale(pages) if path in own]
    assert not stale, f"{', '.join(stale)}: not as `parataxis docs --write` renders them"


CHECKS: list[Callable[[Case], None]] = [value for name, value in sorted(globals().items()) if name.startswith("check_")]

"""Every common check passes on a sound method, and fails on one with the defect that it is there for."""

import re
import sys

import pytest
from cases import Case
from checks import CHECKS

from parataxis.studies import docs
from parataxis.studies.registry import methods
from planted import FILES, NUMBERS, plant

BY_NUMBER = {int(check.__name__[6:8]): check for check in CHECKS}


@pytest.fixture
def case(tmp_path, monkeypatch):
    """Makes a Case of a planted method with defects, its repository and its common.py."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "data" / "planted-gap").mkdir(parents=True)
    (tmp_path / "data" / "planted-gap" / "numbers.txt").write_text(NUMBERS)
    monkeypatch.setenv("PARATAXIS_DATA", str(tmp_path / "data"))

    def make(*defects):
        folder = plant(tmp_path / "methods", *defects)
        root = tmp_path / "repository"
        root.mkdir()
        (root / "README.md").write_text(f"# Readme\n\n{docs.BEGIN}\n{docs.END}\n")
        (root / "pyproject.toml").write_text("")
        known = methods([folder])
        docs.write(docs.rendered(root, known.values()))
        (tmp_path / "own").mkdir()
        method = known["planted-gap"]
        return Case(method, method.folder / "common.py", (folder,), root, tmp_path / "own")

    yield make
    for name in [name for name in sys.modules if name.split(".")[0] == "planted_gap"]:
        del sys.modules[name]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_sound_method_passes(check, case):
    check(case())


# the check, the file, the text in it, the text in its place, what the check says
DEFECTS = [
    (1, "cli.py", "app", "program", "cli.py has no app"),
    (1, "study.py", "def toy(rng):", "def sample(rng):", "has no toy"),
    (
        1,
        "__init__.py",
        "How far a mean is from zero. Example, A., Sample, B.: A Gap That Is There, 2020.",
        "x",
        "docstring",
    ),
    (1, "paper.toml", 'scale_reason = "the paper has a million numbers"', 'scale_reason = ""', "neither a rule"),
    (2, "gap.py", "import math\n", "import math, warnings\nwarnings.warn('old')\n", "planted_gap.gap: UserWarning"),
    (2, "gap.py", "import math\n", "import math, absent_module\n", "absent_module"),
    (2, "cli.py", "import typer\n", "import typer, sys, types; sys.modules['torch'] = types\n", "loads torch"),
    (3, "study.py", 'read(ctx.data("numbers.txt"))', "[float(open('/nonexistent').read())]", "is missing"),
    (3, "paper.toml", 'extra = ""', 'extra = "ray"', "exit status 0"),
    (
        4,
        "study.py",
        "ctx.audit(symmetry, system)\n",
        'ctx.audit(symmetry, system)\n    yield Measurement("more", 1.0, 1.0, 1.0, 1)\n',
        "more",
    ),
    (4, "study.py", 'yield Measurement("spread"', 'Measurement("spread"', "without spread"),
    (
        4,
        "study.py",
        'yield Measurement("spread", spread, low',
        'yield Measurement("spread", spread, high + 1',
        "interval",
    ),
    (
        4,
        "study.py",
        "def study(ctx):",
        "def study(ctx):\n    return iter(list(lazy(ctx)))\n\n\ndef lazy(ctx):",
        "generator",
    ),
    (
        5,
        "study.py",
        "spread = float(np.std(numbers))",
        "spread = float(np.std(numbers)) + hash('x') % 97 * 1e-9",
        "other rows",
    ),
    (5, "study.py", "spread = float(np.std(numbers))", "spread = float(np.std(numbers)) + ctx.jobs * 1e-9", "jobs=2"),
    (
        5,
        "study.py",
        "def study(ctx):",
        "def study(ctx):\n    ctx.rng('a')\n    ctx.seed = 0",
        "another seed changes nothing",
    ),
    (
        6,
        "study.py",
        "numbers = toy(ctx.rng",
        "numbers = [len(ctx.kept)] + toy(ctx.rng",
        "killed and resumed has other rows",
    ),
    (7, "study.py", "    half = 2", "    np.random.seed(1)\n    half = 2", "random state of NumPy"),
    (7, "study.py", "    half = 2", "    import os; os.environ['LEFT'] = '1'\n    half = 2", "environment"),
    (7, "study.py", "    half = 2", "    import os; os.chdir('/')\n    half = 2", "current folder"),
    (7, "study.py", "    half = 2", "    (ctx.work.parents[2] / 'left').touch()\n    half = 2", "/left"),
    (7, "study.py", "    half = 2", "    np.seterr(all='raise')\n    half = 2", "floating-point"),
    (
        8,
        "study.py",
        "System(mean, inputs, twin",
        "System(lambda some: some[0], inputs, twin",
        "'any-order' is order-dependent",
    ),
    (8, "study.py", "inputs, twin=by_place", "inputs, twin=mean", "twin of 'any-order'"),
    (8, "study.py", "inputs, twin=by_place", "inputs", "no position-dependent twin"),
    (8, "study.py", "twin=score_by_place, per_item=True", "twin=score_by_place", "per_item is wrong"),
    (8, "study.py", '"own-score": ', '"other": ', "systems() gives"),
    (9, "study.py", "System(running, inputs)", "System(mean, inputs)", "may depend, yet is invariant"),
    (10, "common.py", "PREDICT = (score,", "PREDICT = (lambda some: [x - max(some) for x in some],", "one by one"),
    (10, "common.py", "PREDICT = ", "OTHER = ", "declares no PREDICT"),
    (10, "common.py", "PREDICT = ", "PREDICT = 'no'\nOTHER = ", "is no reason"),
    (11, "study.py", "null=null", "null=value", "does not fail at null"),
    (11, "study.py", ", null=null", "", "does not fail at null=None"),
    (12, "common.py", "3.0, 0.0)", "3.1, 0.0)", "not 3.1"),
    (12, "gap.py", "math.fsum(numbers) / len", "math.fsum(numbers) / 2 / len", "not 3.0"),
    (13, "cli.py", "parataxis gap mean numbers.txt", "parataxis gap mean FILE", "is not in the help"),
    (13, "cli.py", 'json.dumps({"mean": value})', 'json.dumps({"mean": -value})', "do not agree"),
    (13, "cli.py", 'f"mean {value}"', 'f"\\x1b[1mmean {value}"', "colour codes"),
    (13, "cli.py", 'f"mean {value}")', 'f"mean {value}"); raise typer.Exit(3)', "exit status 3"),
    (14, "gap.py", 'raise BadInput(f"{path}:{place}', 'raise KeyError(f"{path}:{place}', "exit status 1"),
    (14, "gap.py", "{path}:{place}: ", "", "words.txt:2"),
    (14, "gap.py", "import math\n", "import math, sys\nprint('reading', file=sys.stderr)\n", "2 lines on stderr"),
    (15, "common.py", "return mean(json", "import os; return os.getpid() + mean(json", "another outcome"),
]


@pytest.mark.parametrize(("number", "file", "old", "new", "said"), DEFECTS)
def test_a_defect_is_caught(number, file, old, new, said, case):
    broken = case((file, old, new))
    with pytest.raises(AssertionError, match=re.escape(said)):
        BY_NUMBER[number](broken)


def test_docs_that_are_not_as_generated_are_caught(case):
    sound = case()
    for path in (sound.root / "README.md", sound.root / "docs" / "methods" / "planted-gap.md"):
        text = path.read_text()
        path.write_text(text.replace("Gap", "Gulf"))
        with pytest.raises(AssertionError, match=path.name):
            BY_NUMBER[16](sound)
        path.write_text(text)
    BY_NUMBER[16](sound)


def test_an_absent_common_file_is_caught(case):
    sound = case()
    sound.common.unlink()
    for number in (10, 12, 13, 14, 15):
        with pytest.raises(AssertionError, match="is missing"):
            BY_NUMBER[number](sound)


def test_every_check_has_its_defect():
    assert {defect[0] for defect in DEFECTS} | {16} == set(range(1, 17))
    assert set(FILES) >= {defect[1] for defect in DEFECTS}

"""A complete small method, written into a folder: the registry, runner and common tests work on it as on a real one.

`plant(folder, {"study.py": (old, new)})` writes it with one text in one file replaced: a planted defect.
"""

from pathlib import Path

FILES = {
    "paper.toml": """
name = "planted-gap"
command = "gap"
title = "A Gap That Is There"
authors = ["Ada Example", "Bo Sample"]
year = 2020
date = "2020-02-02"
identifier = "arXiv:2002.00001"
venue = "Planted 2020"
verbs = ["measure", "remove"]
extra = ""
summary = "Say how far the mean of some numbers is from zero."

[[claim]]
id = "gap"
version = 1
says = "The mean of the numbers is well above zero."
where = "Table 1, row 2"
figure = "1.0 on the authors' numbers"
measure = "mean of the numbers"
unit = "points"
expect = ">= 0.5"
null = "the signs of the numbers drawn at random"
silent = "which mean: ours is the arithmetic one"
scale_reason = ""

[[claim]]
id = "spread"
version = 2
says = "The numbers are spread a little."
where = "Section 3"
figure = "0.1"
measure = "standard deviation of the numbers"
unit = "points"
expect = ""
null = ""
silent = ""
scale_reason = "the paper has a million numbers"

[[symmetry]]
id = "any-order"
permutes = "the numbers"
outcome = "invariant"
says = "The mean does not depend on the order."

[[symmetry]]
id = "own-score"
permutes = "the numbers"
outcome = "equivariant"
says = "A number keeps its score wherever it stands."

[[symmetry]]
id = "running-mean"
permutes = "the numbers"
outcome = "may depend"
says = "A running mean goes another way in another order."

[[data]]
file = "numbers.txt"
what = "forty numbers"
real = true
url = "http://127.0.0.1:9/numbers.txt"
sha256 = "13dba750e3210e081dc17ef73e18c7f503b33f9243c8ec36aff94192c86dca37"
licence = "CC0-1.0"
packed = ""
""",
    "__init__.py": '''
"""How far a mean is from zero. Example, A., Sample, B.: A Gap That Is There, 2020."""
''',
    "gap.py": '''
"""The mean, the scores, and the running mean."""

import math
from pathlib import Path

from parataxis.errors import BadInput


def read(path: Path) -> list[float]:
    numbers = []
    try:
        lines = Path(path).read_text().splitlines()
    except OSError as error:
        raise BadInput(f"{path}: can't be read: {error.strerror}; give a file with a number a line") from None
    for place, line in enumerate(lines, 1):
        try:
            numbers.append(float(line))
        except ValueError:
            raise BadInput(f"{path}:{place}: {line!r} must be a number; drop the line") from None
    return numbers


def mean(numbers) -> float:
    return math.fsum(numbers) / len(numbers)


def score(numbers) -> list[float]:
    return [round(1 / (1 + math.exp(-x)), 12) for x in numbers]


def running(numbers) -> list[float]:
    return [round(mean(numbers[: k + 1]), 12) for k in range(len(numbers))]
''',
    "study.py": '''
"""The claims of paper.toml, measured."""

import numpy as np

from parataxis.claims import Figure, Measurement, System, Table

from planted_gap.gap import mean, read, running, score

LINE = b'<svg xmlns="http://www.w3.org/2000/svg" width="90" height="9"><path d="M0 5h90"/></svg>'


def toy(rng):
    return [round(x, 6) for x in rng.normal(1.0, 0.1, 10).tolist()]


def study(ctx):
    numbers = toy(ctx.rng("toy")) if ctx.scale == "toy" else read(ctx.data("numbers.txt"))
    real = ctx.scale != "toy"
    half = 2 * float(np.std(numbers)) / len(numbers) ** 0.5
    value = mean(numbers)
    signs = ctx.rng("signs").choice([-1.0, 1.0], len(numbers))
    null = mean((signs * numbers).tolist())
    yield Measurement("gap", value, value - half, value + half, len(numbers), null=null, real=real)
    yield Table("numbers", ["place", "number"], [[k, x] for k, x in enumerate(numbers)], "The numbers.")
    drawn = np.array(numbers)[ctx.rng("bootstrap").integers(len(numbers), size=(50, len(numbers)))].std(axis=1)
    spread = float(np.std(numbers))
    low, high = min(spread, float(drawn.min())), max(spread, float(drawn.max()))
    yield Measurement("spread", spread, low, high, len(numbers), real=real)
    yield Figure("line", LINE, "A line.")
    for symmetry, system in systems(toy(ctx.rng("toy"))).items():
        yield ctx.audit(symmetry, system)


def systems(inputs):
    def by_place(numbers):
        return sum(k * x for k, x in enumerate(numbers))

    def score_by_place(numbers):
        return [x + 0.1 * k for k, x in enumerate(score(numbers))]

    return {
        "any-order": System(mean, inputs, twin=by_place),
        "own-score": System(score, inputs, twin=score_by_place, per_item=True),
        "running-mean": System(running, inputs),
    }
''',
    "cli.py": '''
"""The mean of the user's own numbers."""

import json
from pathlib import Path

import typer

app = typer.Typer(no_args_is_help=True, help="How far a mean is from zero.")


@app.callback()
def top() -> None:
    """How far a mean is from zero."""


@app.command("mean")
def mean_command(file: Path, as_json: bool = typer.Option(False, "--json")) -> None:
    """Print the mean of a file of numbers.

    Example: parataxis gap mean numbers.txt
    """
    from planted_gap.gap import mean, read

    value = mean(read(file))
    print(json.dumps({"mean": value}) if as_json else f"mean {value}")
''',
    "common.py": """
import json

from planted_gap.gap import mean, score


def prepare(folder):
    (folder / "numbers.txt").write_text("1\\\\n2\\\\n6\\\\n")
    (folder / "words.txt").write_text("1\\\\ntwo\\\\n")


HELP_EXAMPLES = [(["gap", "mean", "numbers.txt"], lambda value, text: text.strip() == f"mean {value['mean']}")]
BAD_INPUTS = [
    (["gap", "mean", "words.txt"], "words.txt:2: 'two' must be a number"),
    (["gap", "mean", "absent.txt"], "absent.txt: can't be read"),
]
GOLDEN = [("by hand: (1 + 2 + 6) / 3", lambda: mean([1, 2, 6]), 3.0, 0.0)]
PREDICT = (score, [0.5, -1.0, 2.0, 0.0, 3.5])


def save(folder):
    (folder / "weights.json").write_text(json.dumps([1.5, 2.5]))
    return load(folder)


def load(folder):
    return mean(json.loads((folder / "weights.json").read_text()))


SAVE = (save, load)
""".replace("\\\\n", "\\n"),
}
NUMBERS = "".join(f"{1 + 0.01 * k:.2f}\n" for k in range(-20, 20))


def plant(folder: Path, *defects: tuple[str, str, str], name: str = "planted-gap") -> Path:
    """Write the method into `folder`/planted_gap and return `folder`, which a registry can search.

    defects: file, the text to be replaced, the text in its place. name: of the paper, its folder and its command.
    """
    package = folder / name.replace("-", "_")
    package.mkdir(parents=True)
    texts = {file: text.lstrip("\n") for file, text in FILES.items()}
    for file, old, new in defects:
        assert old in texts[file], f"the planted {file} holds no {old!r}"
        texts[file] = texts[file].replace(old, new)
    for file, text in texts.items():
        text = text.replace("planted_gap", package.name).replace("planted-gap", name)
        if name != "planted-gap":
            text = text.replace('command = "gap"', f'command = "{name}"')
        (package / file).write_text(text)
    return folder

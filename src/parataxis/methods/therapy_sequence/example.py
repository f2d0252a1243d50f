"""A model that runs by itself: made-up drugs, and a trial simulated from them whose truth is known."""

import tomllib
from pathlib import Path

from parataxis.errors import BadInput
from parataxis.files import write_atomic
from parataxis.methods.therapy_sequence.dependence import HazardRatio
from parataxis.methods.therapy_sequence.model import Model
from parataxis.methods.therapy_sequence.simulate import simulate

HERE = Path(__file__).parent
EXAMPLE, PAPER = HERE / "example.toml", HERE / "mhspc.toml"
TRUTH = HazardRatio(3.0, 20.0)  # of the first strategy in trial.csv
PATIENTS, SEED = 400, 1


def trial(model: Model, n: int = PATIENTS, seed: int = SEED) -> str:
    """As CSV: n patients of the model's first strategy under TRUTH, alive ones censored at the horizon."""
    cycles = model.parts.cycles
    died = simulate(model.plan(model.strategies[0], TRUTH), n, seed).died
    rows = [f"{min(each, cycles)},{int(each <= cycles)}" for each in died.tolist()]
    return "\n".join(["time,event", *rows]) + "\n"


def _is_ours(path: Path) -> bool:
    """A trial that the other template, .toml or .xlsx, wrote beside itself is the same."""
    return path.is_file() and path.read_bytes() == trial(Model.from_file(EXAMPLE)).encode()


def write_template(path: Path, paper: bool = False) -> list[Path]:
    """The example (with trial.csv beside it) or the published case, as .toml or .xlsx. Nothing is written over."""
    if path.suffix.lower() not in (".toml", ".xlsx"):
        raise BadInput(f"{path}: expected a name that ends in .toml or .xlsx")
    beside = [] if paper else [path.parent / "trial.csv"]
    for each in (path, *beside):
        if each.exists() and not (each in beside and _is_ours(each)):
            raise BadInput(f"{each}: is there already; name another file, or delete it")
    text = (PAPER if paper else EXAMPLE).read_text()
    if path.suffix.lower() == ".xlsx":
        from parataxis.methods.therapy_sequence.workbook import model_sheets, write_sheets

        written = [write_sheets(path, model_sheets(tomllib.loads(text)))]
    else:
        written = [write_atomic(path, text)]
    return [*written, *(write_atomic(each, trial(Model.from_file(path))) for each in beside)]

"""A model that runs by itself: made-up drugs, and a trial simulated from them whose truth is known."""

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


def write_example(path: Path) -> list[Path]:
    """The example's model file, and trial.csv beside it. Nothing is written over."""
    for each in (path, path.parent / "trial.csv"):
        if each.exists():
            raise BadInput(f"{each}: is there already; name another file, or delete it")
    written = [write_atomic(path, EXAMPLE.read_text())]
    return [*written, write_atomic(path.parent / "trial.csv", trial(Model.from_file(path)))]

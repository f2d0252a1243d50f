"""All that a model names, looked at before anything is run: other settings, targets, patients, distributions."""

from parataxis.errors import BadInput
from parataxis.methods.therapy_sequence.bootstrap import Patients
from parataxis.methods.therapy_sequence.calibrate import read_target
from parataxis.methods.therapy_sequence.model import EVERY, Model
from parataxis.methods.therapy_sequence.parameters import parameters


def check_all(model: Model) -> None:
    """Raises BadInput for the first thing that some command would stumble over."""
    model.plans()
    names = [each.name for each in model.strategies]
    orders = [each.name for each in model.all_orders()]
    for setting, table in model.parts.settings.items():
        if isinstance(table, dict) and (unknown := [each for each in table if each not in (EVERY, *names, *orders)]):
            raise BadInput(f"setting {setting!r}: strategy {unknown[0]!r} is unknown; known: {', '.join(names)}")
        for name in names:
            model.dependence(name, setting)
    for target in model.parts.targets:
        read_target(model, target)
    for drug in model.parts.drugs:
        for line in drug.lines:
            if line.patients:
                Patients.read(line.patients, model.folder, model.parts.cycle_days)
    for each in parameters(model.parts):
        each.shapes()

"""Which drug first? The example model, from its file: costs, QALYs and survival of either order."""

import tempfile
from pathlib import Path

from parataxis.methods.therapy_sequence import SequenceModel
from parataxis.methods.therapy_sequence.example import write_template

with tempfile.TemporaryDirectory() as folder:
    path, *_ = write_template(Path(folder) / "model.toml")
    print(SequenceModel.from_file(path).compare())

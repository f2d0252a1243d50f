"""Models that several tests use. The published case lies in $PARATAXIS_DATA/therapy-sequence: it has no licence."""

import functools
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from parataxis.methods.therapy_sequence.dependence import HazardRatio
from parataxis.methods.therapy_sequence.example import EXAMPLE, PAPER
from parataxis.methods.therapy_sequence.model import Model

FOLDER = Path(os.environ.get("PARATAXIS_DATA", "absent"), "therapy-sequence")
needs_data = pytest.mark.skipif(not FOLDER.is_dir(), reason="needs $PARATAXIS_DATA/therapy-sequence, with no address")
SETTINGS = ("none", "dct", "aa", "own")


@functools.cache
def golden():
    return json.loads((FOLDER / "golden.json").read_text())


@functools.cache
def published(compat="corrected"):
    return Model.from_file(PAPER, compat)


DEPENDENT = HazardRatio(3.0, 6.0)


def short(cycles=5, lines=2, compat="corrected"):
    """The example over a few cycles. A third line is the second again, and a third drug the first."""
    model = Model.from_file(EXAMPLE, compat)
    if lines == 3:
        drugs = tuple(replace(each, lines=(*each.lines, each.lines[1])) for each in model.parts.drugs)
        drugs = (*drugs, replace(drugs[0], id="C"))
        return model.with_parts(cycles=cycles, drugs=drugs, strategies=(), targets=())
    return model.with_parts(cycles=cycles)

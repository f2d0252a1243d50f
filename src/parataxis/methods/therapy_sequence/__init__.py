"""Which drug first? Costs, QALYs and survival of A then B against B then A, from published curves.

    from parataxis.methods.therapy_sequence import SequenceModel

    model = SequenceModel.from_file("model.toml")
    print(model.compare())

Two or more lines of therapy, the later ones depending on how long the first lasted; expectations without Monte Carlo,
patients when their spread is wanted, both as the authors released it and corrected.

Handorf, Beck, Correa, Ramamurthy and Geynisman, "Cost-effectiveness analysis for therapy sequence in advanced cancer: a
microsimulation approach with application to metastatic prostate cancer", 2022, arXiv:2210.05086.
"""

import importlib
from typing import Any

_HOME = {
    "Behaviour": "behaviour",
    "CIF": "incidence",
    "Clayton": "dependence",
    "HazardRatio": "dependence",
    "KMCurve": "curves",
    "SequenceModel": "sequence",
    "TransitionTable": "tables",
    "infer_events": "events",
    "reconstruct": "guyot",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__

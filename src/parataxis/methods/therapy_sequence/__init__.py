"""Which drug first? Costs, QALYs and survival of A then B against B then A, from published curves.

    from parataxis.methods.therapy_sequence import SequenceModel

    model = SequenceModel.from_file("model.toml")
    print(model.compare())

Two or more lines of therapy, the later ones depending on how long the first lasted; expectations without Monte Carlo,
patients when their spread is wanted, both as the authors released it and corrected.

Handorf, Beck, Correa, Ramamurthy and Geynisman, "Cost-effectiveness analysis for therapy sequence in advanced cancer: a
microsimulation approach with application to metastatic prostate cancer", 2022, arXiv:2210.05086.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "behaviour": ["Behaviour"],
        "incidence": ["CIF"],
        "dependence": ["Clayton", "HazardRatio"],
        "curves": ["KMCurve"],
        "sequence": ["SequenceModel"],
        "tables": ["TransitionTable"],
        "events": ["infer_events"],
        "guyot": ["reconstruct"],
    },
)

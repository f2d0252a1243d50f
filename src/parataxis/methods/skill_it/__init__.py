"""Choose what a model is trained on next: weights of skills, by what helps what and by the losses of late.

    from parataxis.methods.skill_it import SkillBatchSampler, SkillGraph, SkillIt

    controller = SkillIt(SkillGraph.load("graph.json"), eta=0.5, window=3)
    sampler = SkillBatchSampler(groups, controller, batch_size=32, round_size=3200, seed=0)
    for _ in range(6):
        for batch in sampler.round():         # row numbers
            step(batch)
        controller.update(evaluate(model))    # the validation loss of each skill

Chen, Roberts, Bhatia, Wang, Zhang, Sala and Ré, "Skill-it! A Data-Driven Skills Framework for Understanding and
Training Language Models", NeurIPS 2023, arXiv:2307.14430.
"""

import importlib
from typing import Any

_HOME = {
    "SkillGraph": "graph",
    "fit_table": "table",
    "SkillIt": "controller",
    "mixture_of": "controller",
    "SkillBatchSampler": "sampler",
    "SkillItCallback": "trainer",
    "SkillItTrainerMixin": "trainer",
    "interleave_skills": "interleave",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__

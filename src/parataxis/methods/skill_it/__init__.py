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

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "graph": ["SkillGraph"],
        "table": ["fit_table"],
        "controller": ["SkillIt", "mixture_of"],
        "sampler": ["SkillBatchSampler"],
        "trainer": ["SkillItCallback", "SkillItTrainerMixin"],
        "interleave": ["interleave_skills"],
    },
)

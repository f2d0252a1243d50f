"""Three skills, one of which helps another: what to train on next, as the losses fall."""

import numpy as np

from parataxis.methods.skill_it import SkillGraph, SkillIt

skills = ("addition", "multiplication", "poems")
helps = np.array([[1.0, 0.8, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])  # row helps column
controller = SkillIt(SkillGraph(helps, skills, skills), eta=0.5, window=1)
for losses in ((2.0, 2.0, 2.0), (0.5, 1.8, 1.9), (0.1, 0.3, 1.8)):
    controller.update(dict(zip(skills, losses, strict=True)))
    shares = ", ".join(f"{name} {share:.0%}" for name, share in controller.weights.items())
    print(f"losses {losses}: {shares}")

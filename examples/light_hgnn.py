"""Made groups and 60 labels: an MLP that was taught with the groups, and one without, each asked without them."""

import numpy as np

from parataxis.methods.light_hgnn import LightHGNNClassifier
from parataxis.nn.hypergraph import Hypergraph

rng = np.random.default_rng(0)
kind = rng.integers(3, size=300)
x = 0.4 * rng.normal(size=(3, 40))[kind] + rng.normal(size=(300, 40))
groups = [rng.choice(np.flatnonzero(kind == k), 8, replace=False) for k in rng.integers(3, size=120)]
y = np.where(np.arange(300) < 60, kind, -1)  # 60 labels are known

student = LightHGNNClassifier(hidden=32, unit=False).fit(x, y, hypergraph=Hypergraph.from_edges(groups, 300))
alone = LightHGNNClassifier(hidden=32, unit=False).fit(x, y)
for name, model in (("taught with the groups", student), ("without them", alone)):
    print(f"{name}: {np.mean(model.predict(x[60:]) == kind[60:]):.1f} of the others are given their kind")

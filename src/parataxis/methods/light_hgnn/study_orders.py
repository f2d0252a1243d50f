"""For each symmetry the system it is true of, and a twin with a mistake that makes position matter."""

import functools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from parataxis.audit.outcomes import comparison
from parataxis.claims import System
from parataxis.methods.light_hgnn.model import HGNN, VertexMLP
from parataxis.methods.light_hgnn.names import arranged, by_name
from parataxis.methods.light_hgnn.reliable import perturbed, reliability
from parataxis.methods.light_hgnn.split import split
from parataxis.methods.light_hgnn.teaching import Recipe, Reliable, distill
from parataxis.nn.fit import named, seeded
from parataxis.nn.hypergraph import Hypergraph
from parataxis.nn.incidence import Propagation, hgnn_plus
from parataxis.nn.threads import one_thread

N, FEATURES, CLASSES = 6, 4, 2
EDGES = [(0, 1, 2), (2, 3), (1, 3, 4, 5), (0, 5), (4, 5), (1, 4)]
CLOSE = {"float32": 1e-5, "float64": 1e-10}
CLOSER = 1e-6
Row = Float[np.ndarray, " value"]  # a vertex: its number, noise, features
Both = tuple[Any, Any]  # the same in float32 and float64


def systems(rng: Any) -> dict[str, System]:
    """Items are rows (number of the vertex, noise, features), hyperedges, members, or ids."""
    features, noise = (rng(each).uniform(0.1, 1, (N, FEATURES)) for each in ("features", "noise"))
    rows = [np.array([place, *noise[place], *features[place]]) for place in range(N)]
    ids = [f"v{place}" for place in range(10)]
    found = {
        "vertices": System(_logits, rows, twin=_place_is_a_feature, per_item=True, compare=_close),
        "hyperedges": System(_by_edges, EDGES, twin=_weight_by_place, compare=_close),
        "members": System(_by_members, list(range(N)), twin=_first_two_again, compare=_close),
        "reliability": System(_reliabilities, rows, twin=_noise_by_place, compare=_close),
        "student": System(_students, rows, twin=_students_by_place, per_item=True, compare=CLOSER),
        "training": System(_trained, rows, twin=_trained_by_place, per_item=True, compare=CLOSER),
        "split": System(_roles, ids, twin=_roles_by_place, per_item=True),
        "split-by-place": System(_roles_by_place, ids, per_item=True),
    }
    return {name: replace(each, run=_alone(each.run), twin=_alone(each.twin)) for name, each in found.items()}


def _close(one: Both, other: Both) -> bool:
    """Each to what its precision allows."""
    return all(comparison(CLOSE[a.dtype.name])(a, b) for a, b in zip(one, other, strict=True))


def _alone(run: Any) -> Any:
    """On one thread."""
    return None if run is None else one_thread()(run)


def _read(rows: Sequence[Row]) -> tuple[list[int], torch.Tensor, Float[np.ndarray, "vertex d"], Hypergraph]:
    """The numbers, features, noise, and the hypergraph among the places that the vertices now have."""
    table = np.stack(list(rows))
    numbers = table[:, 0].astype(int).tolist()
    place = {number: at for at, number in enumerate(numbers)}
    edges = [[place[each] for each in edge if each in place] for edge in EDGES]
    hypergraph = Hypergraph.from_edges([edge for edge in edges if edge], len(table)).with_singletons()
    return numbers, torch.from_numpy(table[:, 1 + FEATURES :].copy()), table[:, 1 : 1 + FEATURES], hypergraph


@functools.cache
def _teacher(dtype: torch.dtype) -> HGNN:
    with seeded(named(0)("teacher")):
        return HGNN(FEATURES, CLASSES, 3).to(dtype).eval()


@functools.cache
def _student(dtype: torch.dtype) -> VertexMLP:
    with seeded(named(0)("student")):
        return VertexMLP(FEATURES, CLASSES, 5).to(dtype).eval()


def _forward(x: torch.Tensor, hypergraph: Hypergraph) -> Both:
    with torch.no_grad():
        single, double = (
            _teacher(each.dtype)(each, HGNN.propagation(hypergraph, each.dtype)).numpy() for each in (x.float(), x)
        )
    return single, double


def _means(hypergraph: Hypergraph, dtype: torch.dtype) -> Propagation:
    """Through which the teacher is an HGNN+; its first step is the means over members."""
    return hgnn_plus(hypergraph, dtype, multiply=False)


def _logits(rows: Sequence[Row]) -> list[Both]:
    _, x, _, hypergraph = _read(rows)
    return list(zip(*_forward(x, hypergraph), strict=True))


def _place_is_a_feature(rows: Sequence[Row]) -> list[Both]:
    _, x, _, hypergraph = _read(rows)
    x[:, 0] += torch.arange(len(x)).to(x)
    return list(zip(*_forward(x, hypergraph), strict=True))


def _by_edges(edges: Sequence[Sequence[int]], weights: Any = None) -> Both:
    x = torch.arange(N * FEATURES, dtype=torch.float64).reshape(N, FEATURES).sin()
    return _forward(x, Hypergraph.from_edges(edges, N, weights).with_singletons())


def _weight_by_place(edges: Sequence[Sequence[int]]) -> Both:
    return _by_edges(edges, 1 + np.arange(len(edges)))


def _by_members(members: Sequence[int]) -> Both:
    return _by_edges([members, (0, N - 1)])


def _first_two_again(members: Sequence[int]) -> Both:
    return _by_edges([members, (0, N - 1), members[:2]])


def _reliabilities(rows: Sequence[Row], by_place: bool = False) -> Both:
    numbers, double, noise, hypergraph = _read(rows)
    draws = noise[np.argsort(numbers)] if by_place else noise

    def of(x: torch.Tensor) -> Any:
        model, through = _teacher(x.dtype), _means(hypergraph, x.dtype)
        return reliability(lambda each: model(each, through), x, perturbed(x, draws), through.gather).numpy()

    return of(double.float()), of(double)


def _noise_by_place(rows: Sequence[Row]) -> Both:
    return _reliabilities(rows, by_place=True)


def _students(rows: Sequence[Row]) -> list[Any]:
    _, x, _, _ = _read(rows)
    with torch.no_grad():
        return list(_student(x.dtype)(x).numpy())


def _students_by_place(rows: Sequence[Row]) -> list[Any]:
    return [logits + place for place, logits in enumerate(_students(rows))]


def _trained(rows: Sequence[Row], by_place: bool = False) -> list[Any]:
    """A student after an epoch as LightHGNN+: weights, dropout, noise and masks are all drawn."""
    numbers, x, _, hypergraph = _read(rows)
    order = np.arange(len(numbers)) if by_place else by_name(numbers)
    x, (hypergraph, _), rng = x[order], arranged(hypergraph, order), named(0)
    model, through = _teacher(x.dtype), _means(hypergraph, x.dtype)
    noisy = perturbed(x, rng("noise").standard_normal(tuple(x.shape)))
    rho = reliability(lambda each: model(each, through), x, noisy, through.gather)
    with torch.no_grad():
        logits = model(x, through)
    recipe = Recipe(hidden=5, epochs=1, lr=0.1)
    taught = distill(logits, x, rng, reliable=Reliable(through.gather, rho), recipe=recipe)
    return list(taught.logits.numpy()[order.argsort()])


def _trained_by_place(rows: Sequence[Row]) -> list[Any]:
    return _trained(rows, by_place=True)


def _roles(ids: Sequence[str], by_place: bool = False) -> list[str]:
    """What each vertex is for; its class is a matter of its name."""
    labels = np.array([int(name[1:]) % 2 for name in ids])
    found = split(labels, range(len(ids)) if by_place else ids, "0", 1, 2)
    roles = dict.fromkeys(found.train.tolist(), "train") | dict.fromkeys(found.test.tolist(), "test")
    return [roles.get(place, "validation") for place in range(len(ids))]


def _roles_by_place(ids: Sequence[str]) -> list[str]:
    return _roles(ids, by_place=True)

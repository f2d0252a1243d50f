import hashlib
from types import SimpleNamespace

import numpy as np
import pytest
from official import official

from parataxis.claims import Figure, Measurement, Table
from parataxis.methods.flaky_tests.classify import Kind, classify
from parataxis.methods.flaky_tests.study import PLANTED, load, made_ids, made_runs, study, systems, toy


def generator(*names):
    return np.random.default_rng(list(hashlib.sha256(repr(names).encode()).digest()))


def differing(symmetry, system, items):
    """The share of 30 shuffles of the items in which the outcome differs, as a measurement."""
    share = np.mean([differs(system.run, items, system.per_item, place) for place in range(30)])
    return Measurement(symmetry, float(share), float(share), float(share), 30)


def differs(run, items, per_item, place):
    order = np.random.default_rng(place).permutation(len(items))
    base, shuffled = run(list(items)), run([items[i] for i in order])
    return shuffled != ([base[i] for i in order] if per_item else base)


def context(scale):
    """What the study asks of its context: a scale, randomness by name, the data sets, an audit."""
    return SimpleNamespace(scale=scale, rng=generator, data=official, audit=differing)


@pytest.fixture(scope="module")
def found():
    return list(study(context("quick")))


@pytest.fixture(scope="module")
def measured(found):
    return {each.id: each for each in found if isinstance(each, Measurement)}


# Value, and the null's value (None where no rule is applied), on the whole published data sets.
FIGURES = {
    "classes": (1.0, 87 / 112),
    "order-dependence-share": (1116 / 1501, None),
    "victims-to-brittles": (750 / 312, 1.0),
    "shuffles-for-95-percent": (23, 6),
    "found-in-31-shuffles": (0.9660497, 0.99999997),
    "shuffles-elsewhere": (23, None),
    "found-in-ten-reruns": (0.1067802, 0.8989977),
    "found-in-170-reruns": (0.5215506, None),
    "order-matters-decisions": (1.0, 0.575),
    "order-matters-p-values": (98 / 101, 0.35),
    "order-matters-exactly": (49 / 70, None),
}


@pytest.mark.parametrize("claim", FIGURES)
def test_figures_on_the_published_data(measured, claim):
    value, null = FIGURES[claim]
    assert measured[claim].value == pytest.approx(value, rel=1e-6)
    if null is None:
        assert measured[claim].null is None
    else:
        shuffled = claim.startswith("order-matters")  # the mean of some shuffles
        assert measured[claim].null == pytest.approx(null, rel=0.05 if shuffled else 1e-6)
    assert measured[claim].real


def test_intervals_between_projects_are_wider_than_a_point(measured):
    for claim in ("order-dependence-share", "victims-to-brittles", "shuffles-elsewhere", "found-in-ten-reruns"):
        assert measured[claim].low < measured[claim].value < measured[claim].high
    assert measured["victims-to-brittles"].low > 1
    assert measured["found-in-ten-reruns"].high < 0.33


@pytest.mark.parametrize("scale", ["toy", "quick"])
def test_every_figure_comes_once_and_again_the_same(scale, found):
    first = found if scale == "quick" else list(study(context(scale)))
    assert list(study(context(scale))) == first
    ids = [each.id for each in first if isinstance(each, Measurement)]
    assert ids == [*FIGURES, "arrival", "relabelling", "collection", "orders", "reverse"]
    assert [type(each) for each in first if not isinstance(each, Measurement)] == [Table, Figure]


def test_what_is_made_is_not_called_real(measured):
    assert not any(each.real for each in study(context("toy")) if isinstance(each, Measurement))
    assert not measured["arrival"].real


def test_the_table_of_reruns(found):
    table = next(each for each in found if isinstance(each, Table))
    assert [row[1:] for row in table.rows] == [[155, 23, 18.9, 5.0], [101, 4038, 2554.1, 748.0]]


def test_the_symmetries_hold_and_their_twins_break_them(measured):
    for symmetry, system in systems(toy(generator("toy"))).items():
        if symmetry == "reverse":
            assert measured[symmetry].value == 1
            continue
        assert measured[symmetry].value == 0
        assert any(differs(system.twin, system.items, system.per_item, place) for place in range(30)), symmetry


def test_the_planted_classes_are_recovered():
    assert classify(made_runs(), len(PLANTED), "paper") == [kind for kind, _ in PLANTED]
    assert {kind for kind, _ in PLANTED} == set(Kind)


def test_made_shuffles_are_permutations():
    assert all(sorted(run.order) == list(range(len(made_ids()))) for run in made_runs())
    assert len({run.order for run in made_runs()}) == 7  # file order, and six shuffles


def test_the_toy_has_what_the_data_has():
    made, real = toy(generator("toy")), load(context("quick"))
    assert made.rows[0].keys() >= {*real.published[0]} & real.rows[0].keys()
    assert all(getattr(made, name) for name in ("rows", "published", "python_tests", "dependences", "ids", "runs"))
    assert made.rates.less.any()
    assert not made.rates.less.all()

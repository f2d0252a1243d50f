"""The microsimulation: R's own stream bit by bit, published random numbers, and agreement with the exact engine."""

from dataclasses import replace

import numpy as np
import pytest
from therapy_cases import DEPENDENT, golden, needs_data, published, short

from parataxis.errors import BadInput
from parataxis.methods.therapy_sequence import SequenceModel
from parataxis.methods.therapy_sequence.economics import patients_needed
from parataxis.methods.therapy_sequence.exact import Expected, Occupancy
from parataxis.methods.therapy_sequence.simulate import simulate
from parataxis.methods.therapy_sequence.streams import double, philox, philox_uniforms, r_uniforms

# Random123 1.14, tests/kat_vectors: philox4x32 10
PHILOX = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]
R_SEED_1 = [0.2655087, 0.3721239, 0.5728534, 0.9082078, 0.2016819]  # R: set.seed(1); runif(5)
R_SEED_42 = [0.914806, 0.9370754, 0.2861395, 0.8304476, 0.6417455]


@pytest.mark.parametrize(("counter", "key", "words"), PHILOX)
def test_philox_known_answers(counter, key, words):
    found = philox(tuple(np.uint64(each) for each in counter), tuple(np.uint64(each) for each in key))
    assert tuple(int(each) for each in found) == words


@pytest.mark.parametrize(("seed", "kept"), [(1, R_SEED_1), (42, R_SEED_42)])
def test_r_uniforms(seed, kept):
    into = np.empty(5)
    r_uniforms(seed, 0, into)
    assert into == pytest.approx(kept, abs=1e-7)


def test_uniforms_are_uniform_and_a_patients_own():
    rows = np.empty((400, 50))
    for patient, row in enumerate(rows):
        philox_uniforms(3, patient, row)
    assert rows.min() >= 0
    assert rows.max() < 1
    assert abs(rows.mean() - 0.5) < 4 * np.sqrt(1 / 12 / rows.size)
    assert abs(np.corrcoef(rows[:, 0], rows[:, 1])[0, 1]) < 0.2
    assert len(np.unique(rows)) == rows.size
    longer = np.empty(51)
    philox_uniforms(3, 7, longer)
    assert (longer[:50] == rows[7]).all()  # a longer horizon changes nothing before it
    assert double(np.uint64(0xFFFFFFFF), np.uint64(0xFFFFFFFF)) < 1


@needs_data
def test_golden_run_on_rs_stream():
    model, kept = published("released"), golden()["bit_exact_R_stream"]["dct_n1000"]
    for place, strategy in enumerate(model.strategies):
        found = simulate(model.plan(strategy, model.dependence(strategy.name, "dct")), 1000, 1, "R")
        assert found.cost.mean() == pytest.approx(kept["cost"][place], rel=1e-6)
        assert found.qaly.mean() == pytest.approx(kept["qaly"][place], rel=1e-6)
        dead = found.trace()["Dead"].iloc[[52, 87]].tolist()
        assert dead == kept["dead_cycle_52_87"][place]


@pytest.mark.parametrize("compat", ["corrected", "released"])
@pytest.mark.parametrize("lines", [2, 3])
def test_agrees_with_the_exact_engine(lines, compat):
    """All occupancies, costs and QALYs within 4.5 standard errors."""
    model, n = short(20, lines, compat), 20_000
    plan = model.plan(model.strategies[0], DEPENDENT)
    found, exact = simulate(plan, n, 5), Expected.of(plan)
    for mine, truth in ((found.cost, exact.cost), (found.qaly, exact.qaly)):
        assert abs(mine.mean() - truth) < 4.5 * mine.std() / np.sqrt(n)
    trace = Occupancy.of(plan).trace(plan).to_numpy()
    error = np.sqrt(np.maximum(trace * (1 - trace), 1 / n) / n)
    assert (np.abs(found.trace().to_numpy() - trace) < 4.5 * error).all()
    assert found.states == plan.states


def test_a_patient_is_the_same_alone_in_a_chunk_and_in_any_order():
    plan = short(20).plan("A first", DEPENDENT)
    whole = simulate(plan, 60, 2)
    ids = np.random.default_rng(0).permutation(np.arange(1, 61))
    shuffled = simulate(plan, ids.tolist(), 2)
    assert (shuffled.cost == whole.cost[ids - 1]).all()
    assert (shuffled.counts == whole.counts).all()
    chunks = [simulate(plan, list(part), 2) for part in (range(1, 31), range(31, 61))]
    assert (np.concatenate([each.qaly for each in chunks]) == whole.qaly).all()
    assert not (simulate(plan, 60, 3).cost == whole.cost).all()


@pytest.mark.parametrize("rng", ["philox", "R"])
def test_equal_drugs_in_either_order_agree_patient_by_patient(rng):
    """The null: both drugs with the same curves and payoffs. Also in expectation, exactly."""
    model = short(20)
    one = model.parts.drugs[0]
    model = model.with_parts(drugs=(one, replace(one, id="B", name="")))
    first, second = (model.plan(each, DEPENDENT) for each in model.strategies)
    assert Expected.of(first).cost == Expected.of(second).cost
    assert Expected.of(first).qaly == Expected.of(second).qaly
    ours, theirs = simulate(first, 500, 4, rng), simulate(second, 500, 4, rng)
    for field in ("cost", "qaly", "left_first", "died"):
        assert (getattr(ours, field) == getattr(theirs, field)).all()


def test_common_luck_makes_the_difference_surer():
    """Trap: different random numbers in the two arms."""
    model = short(30)
    one, other = (model.plan(each, DEPENDENT) for each in model.strategies)
    n = 4000
    same = simulate(one, n, 1).qaly - simulate(other, n, 1).qaly
    apart = simulate(one, n, 1).qaly - simulate(other, n, 2).qaly
    assert same.std() < 0.85 * apart.std()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"n": 1}, "n=1: expected at least 2 patients"),
        ({"n": 10, "seed": -1}, "seed=-1: expected a whole number from 0"),
        ({"n": 10, "rng": "mt"}, "rng='mt': expected one of philox, R"),
    ],
)
def test_bad_calls(options, told):
    with pytest.raises(BadInput, match=told.replace("(", r"\(")):
        simulate(short(5).plan("A first"), **options)


def test_patients_needed():
    assert patients_needed(10.0, 20.0, 1000) == pytest.approx(1000 * (1.96 * 2) ** 2, abs=1)


def test_every_simulated_share_and_net_benefit_has_its_error():
    """Against the spread over many small runs."""
    model = SequenceModel(short(8))
    runs = [model.simulate(100, seed) for seed in range(60)]
    spread = np.std([each[0].trace().to_numpy() for each in runs], axis=0, ddof=1)
    told = np.mean([each[0].trace_errors().to_numpy() for each in runs], axis=0)
    assert told[0].tolist() == [0.0] * len(told[0])
    common = told > 0.02
    assert common.any()
    assert spread[common] / told[common] == pytest.approx(1, abs=0.4)
    tables = [model.compare(each).table.set_index("strategy") for each in runs]
    for level in model.model.parts.thresholds:
        spread = np.std([each.loc["A first", f"nmb_{level:g}"] for each in tables], ddof=1)
        assert np.mean([each.loc["A first", f"nmb_{level:g}_error"] for each in tables]) == pytest.approx(
            spread, rel=0.3
        )


def test_the_text_tells_each_pair_and_threshold_with_too_few_patients():
    model = SequenceModel(short(8))
    found = model.compare(model.simulate(20, 1))
    levels = model.model.parts.thresholds
    few = [each for each in levels if found.pairs[f"d_nmb_{each:g}_needed"].notna().any()]
    assert few
    for each in levels:
        assert (f"B first less A first at {each:,.0f}: s.e." in found.note) == (each in few)

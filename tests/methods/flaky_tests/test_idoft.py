import gzip
import itertools
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from official import official
from scipy.stats import binomtest

from parataxis.errors import BadInput
from parataxis.methods.flaky_tests.idoft import Dependence, read_dependences, read_order_rates, read_python_tests
from parataxis.methods.flaky_tests.reruns import brittle_rate, rerun_curve, runs_for_share, victim_rate


@pytest.fixture(scope="module")
def dependences():
    return read_dependences(official("idoft-odr-tests.csv.gz"))


def fails_in(order, dependence):
    """Play one order from its start: the polluters whose effect stands, or the setters seen."""
    standing = set()
    for test in order:
        if test == "self":
            return not standing if dependence.kind == "brittle" else bool(standing)
        standing -= {cause for cause in standing if test in dependence.causes[cause]}
        standing |= {test} & dependence.causes.keys()
    raise AssertionError("the order lacks the test itself")


def share_of_all_orders(dependence):
    names = sorted({"self", *dependence.causes, *itertools.chain(*dependence.causes.values())})
    orders = list(itertools.permutations(names))
    return Fraction(sum(fails_in(order, dependence) for order in orders), len(orders))


def some_dependence(names):
    """Polluters and cleaners from one small set, so that a polluter may clean another."""
    return st.dictionaries(st.sampled_from(names), st.frozensets(st.sampled_from(names)), min_size=1, max_size=4)


@settings(max_examples=40)
@given(some_dependence("abcde"))
def test_the_rate_of_a_victim_is_its_share_of_all_orders(causes):
    victim = Dependence("p", "self", "victim", {cause: cleaners - {cause} for cause, cleaners in causes.items()})
    assert victim.failure_rate() == share_of_all_orders(victim)


@pytest.mark.parametrize("setters", [1, 2, 4])
def test_the_rate_of_a_brittle_is_its_share_of_all_orders(setters):
    brittle = Dependence("p", "self", "brittle", {str(s): frozenset() for s in range(setters)})
    assert brittle.failure_rate() == share_of_all_orders(brittle)
    assert float(brittle.failure_rate()) == brittle_rate(setters)


@pytest.mark.parametrize(("polluters", "cleaners"), [(1, 0), (1, 27), (3, 2), (12, 30)])
def test_where_all_polluters_have_the_same_cleaners_the_closed_form_holds(polluters, cleaners):
    all_cleaners = frozenset(f"c{i}" for i in range(cleaners))
    victim = Dependence("p", "self", "victim", {f"p{i}": all_cleaners for i in range(polluters)})
    assert float(victim.failure_rate()) == pytest.approx(victim_rate(polluters, cleaners))


def test_simulated_shuffles_agree_with_every_exact_rate(dependences):
    rng = np.random.default_rng(5)
    shuffles = 1500
    p = [binomtest(int(d.simulate(shuffles, rng).sum()), shuffles, float(d.failure_rate())).pvalue for d in dependences]
    assert min(p) * len(p) > 0.001


def test_the_155_published_dependences(dependences):
    assert Counter(d.kind for d in dependences) == {"victim": 135, "brittle": 20}
    assert sum(max(1, len(cleaners)) for d in dependences for cleaners in d.causes.values()) == 1908
    most = max(dependences, key=lambda d: len(d.causes))
    assert (most.kind, most.test.rpartition(".")[2], most.failure_rate()) == ("brittle", "test_7", Fraction(1, 166))


def test_shuffles_needed_for_the_published_dependences(dependences):
    rates = np.array([float(d.failure_rate()) for d in dependences])
    assert runs_for_share(rates) == 23
    np.testing.assert_allclose(rerun_curve(np.array([22, 31]), rates), [0.94976, 0.96605], atol=5e-6)


def test_python_tests_by_category():
    tests = read_python_tests(official("idoft-py-data.csv"))
    counts = {"OD-Vic": 750, "OD-Brit": 312, "NOD": 226, "NIO": 155, "OD": 54, "": 39, "ID": 3, "UD": 1}
    assert Counter(test.category for test in tests) == counts
    assert tests[0].commit == "d39c488c89bf5d90fffe3c05580fc13551522ee5"


def test_order_rates_as_published():
    rates = read_order_rates(official("idoft-tso-iso-rates.csv"))
    assert rates.failures.shape == (101, 33)
    assert Counter(np.count_nonzero(rates.runs, axis=1).tolist()) == {21: 90, 17: 6, 2: 3, 12: 1, 33: 1}
    assert np.count_nonzero(rates.less) == 70
    assert rates.failures[0].sum() == 200
    assert rates.runs[0].sum() == 4000


def test_a_compressed_file_reads_like_the_plain_one(tmp_path, dependences):
    plain = tmp_path / "odr-tests.csv"
    plain.write_bytes(gzip.decompress((official("idoft-odr-tests.csv.gz")).read_bytes()))
    assert read_dependences(plain) == dependences


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1,2\n", "no column 'Project URL'; is it another file"),
        (None, "OD-test-type='patient': expected victim or brittle"),
    ],
)
def test_another_file_is_named(tmp_path, text, said):
    if text is None:
        whole = gzip.decompress((official("idoft-odr-tests.csv.gz")).read_bytes()).decode()
        text = whole.replace(",victim", ",patient", 1)
    (tmp_path / "odr-tests.csv").write_text(text)
    with pytest.raises(BadInput, match=said):
        read_dependences(tmp_path / "odr-tests.csv")

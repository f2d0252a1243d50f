import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parataxis.methods.flaky_tests.classes import SHUFFLED, Kind, classify, paper_class
from parataxis.methods.flaky_tests.outcomes import Run

# Each by hand from the paper's rules: iterations of (file order, shuffled).
BY_HAND = [
    ([("..", "..")], Kind.NOT_FLAKY),
    ([("FF", "FF")], Kind.NOT_FLAKY),
    ([], Kind.NOT_FLAKY),
    ([("", "")], Kind.NOT_FLAKY),
    ([(".F", "..")], Kind.NOD),
    ([(".E", "..")], Kind.NOD),
    ([("..", "..") for _ in range(3)] + [(".T", "..")], Kind.NOD),
    ([("..", ".F")], Kind.OD),
    ([("FF", ".F")], Kind.OD),
    ([(".F", ".F")], Kind.NOD),  # rule 1 comes before rule 2
    ([("..", ".F"), ("FF", "FF")], Kind.OD),  # rule 2 comes before rule 3
    ([("..", "..."), ("FF", "FFF")], Kind.INFRA),
    ([("..", ".."), ("..", "FF")], Kind.INFRA),
    ([("..", "FF"), ("..", "FF")], Kind.NOT_FLAKY),  # the blind spot
    ([(".s", "s."), ("ss", "ss")], Kind.NOT_FLAKY),
    ([("FE", "EF"), ("EE", "FF")], Kind.NOT_FLAKY),  # fails always, though not always in one way
    ([(".-", "--"), ("--", "F-")], Kind.NOT_FLAKY),
]


@pytest.mark.parametrize(("iterations", "kind"), BY_HAND)
def test_the_papers_rules(iterations, kind):
    assert paper_class(iterations) is kind


def both_ways(outcomes):
    """A second reading of "Flaky", straight from the spec."""
    return "." in outcomes and bool(set("FECT") & set(outcomes))


def second_reading(runs, test, protocol):
    """The spec's rules test by test and run by run, with none of the code under test."""
    same, shuffled, repeats = {}, {}, {}
    for run in runs:
        name = f"{run.kind}/{run.index}"
        if run.kind == "replay" and protocol == "default" and run.of:
            name = run.of
        kind = name.split("/")[0]
        if kind in ("same", "random", "reverse", "tuscan"):
            (same if kind == "same" else shuffled).setdefault(run.iteration, []).append(run.outcomes[test])
            repeats.setdefault((run.iteration, name), []).append(run.outcomes[test])
    if any(map(both_ways, same.values())):
        return Kind.NOD
    if protocol == "default" and any(map(both_ways, repeats.values())):
        return Kind.NOD
    if any(map(both_ways, shuffled.values())):
        return Kind.OD
    if protocol == "default" and any(both_ways(same[i] + shuffled[i]) for i in same.keys() & shuffled.keys()):
        return Kind.OD
    if any(both_ways([outcome for run in runs_of.values() for outcome in run]) for runs_of in (same, shuffled)):
        return Kind.INFRA
    return Kind.NOT_FLAKY


TESTS = 4
OUTCOMES = st.text("....FFEsCT-", min_size=TESTS, max_size=TESTS) | st.sampled_from(["....", "FF.."])
# Rows, not runs: the check of types draws from `random`, which has no place inside a strategy.
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "iteration": st.integers(0, 2),
            "kind": st.sampled_from(["same", *SHUFFLED, "replay", "alone"]),
            "index": st.integers(0, 2),
            "order": st.just(tuple(range(TESTS))),
            "outcomes": OUTCOMES,
            "of": st.sampled_from(["same/0", "random/0", "tuscan/1", "alone/0"]),
        }
    ),
    max_size=8,
)
PROTOCOLS = pytest.mark.parametrize("protocol", ["paper", "default"])


@PROTOCOLS
@settings(max_examples=150)
@given(rows=ROWS)
def test_agrees_with_a_second_reading(protocol, rows):
    runs = [Run(**row) for row in rows]
    assert classify(runs, TESTS, protocol) == [second_reading(runs, test, protocol) for test in range(TESTS)]


@PROTOCOLS
@settings(max_examples=40)
@given(rows=ROWS, data=st.data())
def test_the_order_in_which_runs_arrive_changes_nothing(protocol, rows, data):
    runs = [Run(**row) for row in rows]
    shuffled = [Run(**row) for row in data.draw(st.permutations(rows))]
    assert classify(shuffled, TESTS, protocol) == classify(runs, TESTS, protocol)


@PROTOCOLS
@settings(max_examples=40)
@given(rows=ROWS, places=st.permutations(range(TESTS)))
def test_relabelling_the_tests_relabels_their_classes(protocol, rows, places):
    runs = [Run(**row) for row in rows]
    relabelled = [Run(**{**row, "outcomes": "".join(row["outcomes"][p] for p in places)}) for row in rows]
    kinds = classify(runs, TESTS, protocol)
    assert classify(relabelled, TESTS, protocol) == [kinds[p] for p in places]


def run(kind, index, outcomes, iteration=0, of=None):
    return Run(iteration, kind, index, tuple(range(len(outcomes))), outcomes, of=of)


@pytest.mark.parametrize(("base", "shuffled"), [(".", "F"), ("F", ".")])
def test_what_fails_in_every_shuffle_only_is_seen_by_default(base, shuffled):
    runs = [run("same", 0, base), run("same", 1, base), run("random", 0, shuffled), run("reverse", 0, shuffled)]
    assert classify(runs, 1, "paper") == [Kind.NOT_FLAKY]
    assert classify(runs, 1) == [Kind.OD]


def test_an_environment_that_decides_is_not_taken_for_an_order():
    runs = [run(kind, 0, ".F"[i], iteration=i) for i in range(2) for kind in ("same", "random")]
    assert classify(runs, 1) == [Kind.INFRA]


def test_repeats_of_a_shuffle_that_disagree_are_chance():
    runs = [run("same", 0, ".."), run("random", 3, ".F"), run("random", 4, "..")]
    assert classify(runs, 2) == [Kind.NOT_FLAKY, Kind.OD]
    runs.append(run("replay", 0, "..", of="random/3"))
    assert classify(runs, 2) == [Kind.NOT_FLAKY, Kind.NOD]
    assert classify(runs, 2, "paper") == [Kind.NOT_FLAKY, Kind.OD]


def test_a_repeat_in_another_environment_is_not_a_repeat():
    runs = [run("same", 0, "."), run("random", 3, "F"), run("replay", 0, ".", iteration=1, of="random/3")]
    assert classify(runs, 1) == [Kind.OD]


def test_replays_of_file_order_count_as_file_order():
    runs = [run("same", 0, "."), run("replay", 0, "F", of="same/0"), run("random", 0, ".")]
    assert classify(runs, 1) == [Kind.NOD]


@pytest.mark.parametrize("kind", ["alone", "probe", "pair"])
def test_diagnosis_leaves_the_class_alone(kind):
    runs = [run("same", 0, "."), run("random", 0, "."), run(kind, 0, "F"), run(kind, 1, ".")]
    assert classify(runs, 1) == [Kind.NOT_FLAKY]


def test_a_crash_says_nothing_of_the_tests_behind_it():
    runs = [run("same", 0, "..."), run("random", 0, ".C-"), run("random", 1, "...")]
    assert classify(runs, 3) == [Kind.NOT_FLAKY, Kind.OD, Kind.NOT_FLAKY]


def test_without_runs_nothing_is_flaky():
    assert classify([], 2) == [Kind.NOT_FLAKY] * 2


def test_outcomes_of_another_suite_are_our_own_mistake():
    with pytest.raises(AssertionError, match="random/0: 2 outcomes for 3 tests"):
        classify([run("random", 0, "..")], 3)


def test_every_class_has_its_sentence():
    assert len({kind.sentence for kind in Kind}) == 4

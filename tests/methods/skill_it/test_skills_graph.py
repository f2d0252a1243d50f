"""Graphs learned from runners whose truth is known, read from tables, kept in files."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from parataxis.errors import BadInput

NAMES = ("a", "b", "c")
TRUTH = np.array([[0.5, 0.0, 0.0], [0.2, 0.4, 0.0], [0.0, -0.1, 0.3]])


def graph(matrix=TRUTH, names=NAMES, **more):
    from parataxis.methods.skill_it import SkillGraph

    return SkillGraph(np.array(matrix, float), tuple(names), tuple(more.pop("columns", names)), **more)


def linear(mixture, steps, seed):
    """All losses begin at 2 and fall, in each step, by what the mixture is worth; noise by seed."""
    share = np.array([mixture.get(name, 0.0) for name in NAMES])
    noise = 0.001 * np.random.default_rng([seed, *(100 * share).astype(int)]).normal(size=3) * (seed > 0)
    after = 2 * (1 - share @ TRUTH * steps) + noise
    return dict.fromkeys(NAMES, 2.0), {name: float(value) for name, value in zip(NAMES, after, strict=True)}


def learn(runner=linear, horizon=1, **options):
    from parataxis.methods.skill_it import SkillGraph

    return SkillGraph.learn(runner, NAMES, horizon, **options)


def test_single_recovers_the_truth():
    found = learn(method="single", clip=False)
    assert found.matrix == pytest.approx(TRUTH, abs=1e-12)
    assert learn(method="single").matrix == pytest.approx(np.maximum(TRUTH, 0), abs=1e-12)
    assert found.steps == 3
    assert found.low is None


def test_pairwise_by_hand():
    # half of b and half of a lowers a by .25 + .1 where a alone lowers it by .5: -.3; clipped 0
    found = learn(method="pairwise", clip=False)
    assert found.matrix[1, 0] == pytest.approx((0.35 - 0.5) / 0.5)
    assert np.diag(found.matrix).tolist() == [1.0, 1.0, 1.0]
    assert found.steps == 6, "a run a skill and a run a pair: both edges of a pair come from one"
    assert learn(method="pairwise").matrix == pytest.approx(np.eye(3), abs=1e-12)


def test_rectangular_graphs():
    found = learn(method="single", eval_skills=("c", "a"))
    assert found.matrix == pytest.approx(np.maximum(TRUTH, 0)[:, [2, 0]], abs=1e-12)
    with pytest.raises(BadInput, match="method='pairwise': trains on every evaluated skill"):
        learn(method="pairwise", eval_skills=("c", "a"))


def test_only_edges_whose_interval_excludes_0_are_sure():
    found = learn(method="single", clip=False, seeds=(1, 2, 3, 4, 5)).threshold()
    assert (found.matrix != 0).tolist() == (TRUTH != 0).tolist()
    assert (found.low <= found.high).all()
    assert learn(method="single", seeds=(1, 2, 3)).threshold(0.25).matrix.astype(bool).sum() == 3


@pytest.mark.parametrize("clip", [True, False])
def test_noise_about_0_makes_no_more_sure_edges_when_it_is_clipped(clip):
    """Clipped run by run, as it once was, half of such edges were kept with five seeds, and more with more."""
    from parataxis.methods.skill_it import SkillGraph

    def noise(mixture, steps, seed):
        rng = np.random.default_rng([seed, *(int(each) for each in mixture.get("key", ()))])
        return dict.fromkeys(NAMES, 2.0), {name: 2 - 0.1 * rng.normal() for name in NAMES}

    kept = []
    for trial in range(60):
        seeds = range(8 * trial, 8 * trial + 8)
        found = SkillGraph.learn(noise, NAMES, 1, method="single", seeds=seeds, clip=clip)
        assert (found.low <= found.matrix).all()
        assert (found.matrix <= found.high).all()
        kept.append(found.threshold().matrix > 0)
    assert np.mean(kept) < 0.15


def test_intervals_do_not_depend_on_the_order_of_skills():
    from parataxis.methods.skill_it import SkillGraph

    one = learn(method="single", seeds=(1, 2, 3))
    other = SkillGraph.learn(linear, NAMES[::-1], 1, method="single", seeds=(1, 2, 3))
    assert np.array_equal(one.low, other.low[::-1, ::-1])


def test_a_table_of_runs_gives_its_graph_back():
    from parataxis.methods.skill_it import fit_table

    rng = np.random.default_rng(0)
    shares = pd.DataFrame(rng.dirichlet(np.ones(3), 40), columns=list(NAMES))
    losses = pd.DataFrame(3 - shares.to_numpy() @ TRUTH, columns=["x", "y", "z"])
    found = fit_table(shares, losses)
    assert found.graph.matrix == pytest.approx(TRUTH - TRUTH.min(0), abs=1e-9)
    assert found.predict(shares).to_numpy() == pytest.approx(losses.to_numpy(), abs=1e-9)
    pulled = fit_table(shares, losses, ridge=1.0).graph.matrix
    assert np.ptp(pulled, 0).max() < np.ptp(found.graph.matrix, 0).max()


def test_what_is_added_to_a_column_does_not_change_the_weights():
    from parataxis.methods.skill_it import SkillIt

    losses = dict(zip(NAMES, (0.3, 0.2, 0.9), strict=True))
    one = SkillIt(graph()).update(losses)
    other = SkillIt(graph(TRUTH + np.array([1.0, 2, 3]))).update(losses)
    assert list(one.values()) == pytest.approx(list(other.values()), abs=1e-12)


def test_summary_tells_an_ordered_set():
    assert graph().is_ordered
    assert "density 0.33" in graph().summary()
    assert "b -> a: 0.200" in graph().summary()
    assert not graph(np.eye(3)).is_ordered
    assert "no edge between skills" in graph(np.eye(3)).summary()
    assert "an edge between all skills" in graph(np.ones((3, 3)) + np.eye(3)).summary()
    assert "weights will be uniform" in graph(np.ones((3, 3))).summary()


def test_as_networkx():
    found = graph().to_networkx()
    assert sorted(found.edges(data="weight")) == [("b", "a", 0.2), ("c", "b", -0.1)]
    assert found.nodes["a"] == {"own": 0.5}


def test_a_file_gives_the_same_in_another_process(tmp_path):
    path = learn(method="single", seeds=(1, 2, 3)).save(tmp_path / "graph.json")
    code = (
        "import sys, json; from parataxis.methods.skill_it import SkillGraph; "
        "print(json.dumps(SkillGraph.load(sys.argv[1]).to_json()))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == json.loads(path.read_text())
    assert [each.name for each in tmp_path.iterdir()] == ["graph.json"]


def test_a_published_matrix_is_read_with_names(tmp_path):
    from parataxis.methods.skill_it import SkillGraph

    np.save(tmp_path / "g.npy", TRUTH)
    assert SkillGraph.load(tmp_path / "g.npy", NAMES).matrix == pytest.approx(TRUTH)
    with pytest.raises(BadInput, match=r"g\.npy: an .npy file names no skills"):
        SkillGraph.load(tmp_path / "g.npy")


def test_plot_marks_what_is_unsure():
    pytest.importorskip("matplotlib")
    found = graph(low=TRUTH - 0.3, high=TRUTH + 0.3).plot()
    assert len(found.lines) == 3  # of the five entries that are not 0, .4 and .5 are sure
    assert found.get_xlabel() == "evaluated"


def _wrong(**change):
    shares = pd.DataFrame({"a": [0.5, 0.2], "b": [0.5, 0.8]})
    losses = pd.DataFrame({"x": [1.0, 2.0]})
    for place, value in change.items():
        table, column = place.split("_")
        (shares if table == "shares" else losses).loc[1, column] = value
    from parataxis.methods.skill_it import fit_table

    return fit_table(shares, losses)


def _nan(mixture, steps, seed):
    before, after = linear(mixture, steps, seed)
    return before, {**after, "b": float("nan")}


def _lacks(mixture, steps, seed):
    return {"a": 1.0}, {"a": 1.0}


def _rises(mixture, steps, seed):
    before, after = linear(mixture, steps, seed)
    return before, {**after, "c": 2.5}


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: learn(method="triple"), "method='triple': expected one of pairwise, single"),
        (lambda: learn(horizon=0), "horizon=0"),
        (lambda: learn(seeds=()), r"seeds=\[\]"),
        (lambda: learn(_nan), "losses: skill 'b': nan must be finite"),
        (lambda: learn(_lacks), "losses: skill 'b' is missing"),
        (lambda: learn(_rises), "skill 'c': training on it alone changes its loss by"),
        (lambda: _wrong(shares_a=0.5), "run 1: the shares sum to 1.300"),
        (lambda: _wrong(shares_a=-0.1), "skill 'a', run 1: -0.1 must be at least 0"),
        (lambda: _wrong(losses_x=float("inf")), "losses: skill 'x', run 1: inf must be finite"),
        (lambda: graph(np.eye(2)), r"matrix: shape=\(2, 2\): expected \(3, 3\)"),
        (lambda: graph(low=TRUTH), "low, high: give both ends"),
    ],
)
def test_bad_input_names_the_skill(call, said):
    with pytest.raises(BadInput, match=said):
        call()


@pytest.mark.parametrize("text", ["", "[]", '{"kind": "other"}', '{"kind": "skills graph", "matrix": [[1]]}'])
def test_a_file_that_is_no_graph(tmp_path, text):
    from parataxis.methods.skill_it import SkillGraph

    (tmp_path / "g.json").write_text(text)
    with pytest.raises(BadInput, match=r"g\.json: is no skills graph"):
        SkillGraph.load(tmp_path / "g.json")
    with pytest.raises(BadInput, match=r"none\.json: can't be read"):
        SkillGraph.load(tmp_path / "none.json")

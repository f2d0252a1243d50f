"""The scikit-learn classifier, and what scikit-learn itself checks."""

import dataclasses
import json
import os
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from nursery import in_child
from parataxis.errors import BadInput
from parataxis.methods.light_hgnn import LightHGNNClassifier
from parataxis.nn.hypergraph import Hypergraph

N = 40
LABELS = np.arange(N) % 2
X = np.random.default_rng(0).random((N, 4)) + 2 * np.eye(4)[LABELS]
EDGES = [[each, each + 2, (each + 4) % N] for each in range(0, N - 2, 2)]
SMALL = {"hidden": 8, "teacher_hidden": 4, "epochs": 40, "dropout": 0.1, "unit": False}
EXPECTED = {"check_classifiers_classes": "-1 is the label of a vertex that has none"}


def fitted(y=LABELS, **options):
    return LightHGNNClassifier(**{**SMALL, **options}).fit(X, y, hypergraph=Hypergraph.from_edges(EDGES, N))


def own_checks():
    """Name, status and error of each of scikit-learn's checks."""
    import torch
    from sklearn.utils.estimator_checks import check_estimator

    torch.set_num_threads(1)
    brief = LightHGNNClassifier(hidden=8, epochs=15, unit=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = check_estimator(brief, expected_failed_checks=EXPECTED, on_skip=None, on_fail=None)
    return [[each["check_name"], each["status"], str(each["exception"])] for each in found]


def test_scikit_learns_own_checks(tmp_path):
    """In a process without our checks of types, which refuse what scikit-learn hands to the constructor."""
    status, out, err = in_child(own_checks, cwd=tmp_path, libraries=("torch", "pandas", "scipy.sparse"), **os.environ)
    assert status == 0, err
    found = json.loads(out.splitlines()[-1])
    assert not [each for each in found if each[1] == "failed"]
    assert [name for name, status, _ in found if status == "xfail"] == list(EXPECTED)
    assert sum(status == "passed" for _, status, _ in found) >= 50


def test_learns_and_answers_without_a_hypergraph():
    model = fitted()
    assert (model.predict(X) == LABELS).mean() > 0.9
    assert np.allclose(model.predict_proba(csr_array(X)), model.predict_proba(X))
    assert (model.duplicates_, model.isolated_, model.n_iter_) == (0, 20, 40)
    assert model.reliability_.shape == (39,)
    assert (fitted(LABELS.astype(float)).predict_proba(X) == model.predict_proba(X)).all()


def test_minus_one_is_no_label_and_names_are_kept():
    some = np.where(np.arange(N) < 20, LABELS, -1)
    model = fitted(some)
    assert model.classes_.tolist() == [0, 1]
    assert set(model.validation_) < set(range(20))
    assert (model.predict(X) == LABELS).mean() > 0.8
    assert set(fitted(np.array(["no", "yes"])[LABELS]).predict(X)) == {"no", "yes"}


@pytest.mark.parametrize("numbered", [True, False], ids=["numbers", "text"])
def test_no_order_of_rows_and_hyperedges_changes_a_bit(numbered):
    """Weights, dropout, noise and masks go by names; what was found is told in the order that was given."""
    rng = np.random.default_rng(1)
    order, edges = rng.permutation(N), rng.permutation(len(EDGES))
    ids = [each if numbered else f"v{each}" for each in range(N)]
    moved = Hypergraph.from_edges([np.argsort(order)[EDGES[each]] for each in edges], N)
    brief = {**SMALL, "epochs": 4}
    a = LightHGNNClassifier(**brief).fit(X, LABELS, Hypergraph.from_edges(EDGES, N), ids)
    b = LightHGNNClassifier(**brief).fit(X[order], LABELS[order], moved, [ids[each] for each in order])
    assert {ids[each] for each in a.validation_} == {ids[order[each]] for each in b.validation_}
    assert (a.student_.a_weight == b.student_.a_weight).all()
    assert (a.predict_proba(X)[order] == b.predict_proba(X[order])).all()
    assert (a.teacher_.logits[order.tolist()] == b.teacher_.logits).all()
    assert (a.reliability_[edges] == b.reliability_[: len(EDGES)]).all()
    nameless = LightHGNNClassifier(**brief).fit(X[order], LABELS[order], moved)
    assert (nameless.predict_proba(X[order]) != b.predict_proba(X[order])).any()


def test_the_epoch_is_chosen_with_or_without_labels():
    """One training, two choices: the history is the same, the epoch kept is the first best of its own column."""
    by_labels, by_teacher = (fitted(choose=each) for each in ("accuracy", "divergence"))
    history = by_teacher.history_
    assert (by_labels.history_ == history).all(axis=None)
    assert by_labels.best_epoch_ == int(history.accuracy.argmax())
    assert by_teacher.best_epoch_ == int(history.divergence.argmin()) != by_labels.best_epoch_


def test_equal_hyperedges_count_once_if_asked():
    twice = Hypergraph.from_edges([*EDGES, EDGES[0]], N)  # were all there twice, the network would not change
    models = [
        LightHGNNClassifier(**{**SMALL, "epochs": 3}, plus=False, merge=merge).fit(X, LABELS, hypergraph)
        for merge, hypergraph in ((True, twice), (False, twice), (False, twice.merged()))
    ]
    assert [each.duplicates_ for each in models] == [1, 1, 0]
    merged, kept, once = (each.teacher_.logits for each in models)
    assert (merged == once).all()
    assert (merged != kept).any()


def test_saved_and_loaded(tmp_path):
    model = fitted()
    again = LightHGNNClassifier.load(model.save(tmp_path / "model.npz"))
    assert (again.predict_proba(X) == model.predict_proba(X)).all()
    assert again.classes_.tolist() == [0, 1]
    clone(again)


def test_a_loaded_model_knows_the_names_of_its_features(tmp_path):
    """So that columns in another order are refused, as the fitted one does."""
    frame = pd.DataFrame(X, columns=list("abcd"))
    model = LightHGNNClassifier(**SMALL).fit(frame, LABELS, Hypergraph.from_edges(EDGES, N))
    again = LightHGNNClassifier.load(model.save(tmp_path / "model.npz"))
    assert (again.predict_proba(frame) == model.predict_proba(frame)).all()
    for each in (model, again):
        with pytest.raises(ValueError, match="feature names"):
            each.predict(frame[list("badc")])


def test_refused(tmp_path):
    names = [f"v{n}" for n in range(N)]
    turned = Hypergraph.from_edges(EDGES, N)
    turned = dataclasses.replace(turned, vertex_names=tuple(names[::-1]))
    with pytest.raises(BadInput, match=r"ids\[0\]='v0': vertex 0 of the hypergraph is 'v39'"):
        LightHGNNClassifier(**SMALL).fit(X, LABELS, turned, ids=names)
    with pytest.raises(BadInput, match="under this noise the teacher's answers are no numbers"):
        fitted(plus=True, level=1e38, epochs=2)
    with pytest.raises(BadInput, match="expected a whole number, or None"):
        LightHGNNClassifier(**SMALL).set_params(random_state="0").fit(X, LABELS)
    with pytest.raises(BadInput, match="hypergraph has 3 vertices, X 40 rows"):
        LightHGNNClassifier(**SMALL).fit(X, LABELS, Hypergraph.from_edges([], 3))
    with pytest.raises(BadInput, match=r"validation=1\.0: expected a share"):
        fitted(validation=1.0)
    with pytest.raises(BadInput, match="choose='loss': expected accuracy or divergence"):
        fitted(choose="loss", tell=lambda *_: pytest.fail("trained before it looked"))
    with pytest.raises(BadInput, match="ids: 3 for 40 rows of X; give one each"):
        LightHGNNClassifier(**SMALL).fit(X, LABELS, ids=[1, 2, 3])
    with pytest.raises(BadInput, match=r"ids\[2\]='a' is that of row 0 too"):
        LightHGNNClassifier(**SMALL).fit(X, LABELS, ids=["a", "b", "a", *range(3, N)])
    with pytest.raises(BadInput, match="y has 1 class"):
        fitted(np.zeros(N, int))
    with pytest.raises(ValueError, match="NaN"):
        LightHGNNClassifier(**SMALL).fit(np.full((N, 4), np.nan), LABELS)
    with pytest.raises(NotFittedError):
        LightHGNNClassifier().save(tmp_path / "model.npz")


def test_a_fit_that_was_cut_off_goes_on(tmp_path):
    class Cut(Exception):
        pass

    def cut(done, total, word):
        if done == 25:
            raise Cut

    whole = fitted()
    with pytest.raises(Cut):
        fitted(checkpoints=tmp_path, tell=cut)
    done = []
    resumed = fitted(checkpoints=tmp_path, tell=lambda epoch, total, word: done.append(epoch))
    assert (resumed.predict_proba(X) == whole.predict_proba(X)).all()
    again = fitted(checkpoints=tmp_path, tell=lambda epoch, total, word: pytest.fail("nothing is left to do"))
    assert (again.predict_proba(X) == whole.predict_proba(X)).all()
    with pytest.raises(BadInput, match=r"teacher\.pt: is of a fit with another model, optimizer, seed or data"):
        fitted(LABELS[::-1].copy(), checkpoints=tmp_path)


@pytest.mark.parametrize(
    "other", [{"unit": True}, {"validation": 0.5}, {"kl": "original"}, {"choose": "divergence"}], ids=str
)
def test_what_decides_a_fit_is_not_taken_from_another(tmp_path, other):
    """A command that was cut off and is given again with other options must not go on with the old ones' weights."""
    fitted(checkpoints=tmp_path)
    with pytest.raises(BadInput, match="is of a fit with another model, optimizer, seed or data"):
        fitted(checkpoints=tmp_path, **other)

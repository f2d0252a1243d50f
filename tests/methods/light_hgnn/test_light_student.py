"""The student in NumPy and as ONNX answers as the trained one in torch does."""

import json

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from parataxis.errors import BadInput
from parataxis.methods.light_hgnn.dataset import unit_rows
from parataxis.methods.light_hgnn.model import VertexMLP
from parataxis.methods.light_hgnn.student import Student
from parataxis.nn.fit import named, seeded

D, C, N = 9, 3, 20
X = np.random.default_rng(0).random((N, D)) * (np.random.default_rng(1).random((N, D)) < 0.5)
X[3] = 0  # a row without any feature


def trained():
    with seeded(named(0)("student")):
        model = VertexMLP(D, C, 16)
        torch.nn.init.normal_(model.norm.weight)
        torch.nn.init.normal_(model.norm.bias)
        for _ in range(30):
            model(torch.rand(40, D))
    return model.eval()


MODEL = trained()
CLASSES = ("red", "green", "blue")
STUDENT = Student.of(MODEL, CLASSES, unit=True)


def in_torch(x):
    with torch.no_grad():
        return MODEL(torch.from_numpy(unit_rows(csr_array(x)).toarray()).float()).numpy()


def test_batchnorm_is_folded_into_the_second_map():
    """It stands after the ReLU, so that it can't go into the first."""
    assert np.allclose(STUDENT.logits(X), in_torch(X), atol=1e-5)
    assert np.allclose(STUDENT.logits(csr_array(X)), in_torch(X), atol=1e-5)
    assert np.allclose(STUDENT.a_weight, MODEL.first.weight.detach().numpy().T)


def test_one_vertex_as_fast_as_can_be_says_the_same():
    rows = unit_rows(csr_array(X)).astype(np.float32)
    for each in range(N):
        row = rows[[each]]
        assert np.allclose(STUDENT.one(row.toarray()[0]), STUDENT.logits(X)[each], atol=1e-6)
        assert np.allclose(STUDENT.one_sparse(row.indices, row.data), STUDENT.logits(X)[each], atol=1e-6)


def test_no_row_sees_another():
    whole = STUDENT.probabilities(X)
    assert np.allclose(whole.sum(1), 1)
    for rows in ([7], [3, 7], [*range(N)][::-1]):
        assert np.abs(STUDENT.probabilities(X[rows]) - whole[rows]).max() <= 1e-6


@pytest.mark.parametrize("unit_of_measure", [1e-46, 1e39])
def test_a_row_is_scaled_before_float32_could_lose_it(unit_of_measure):
    assert np.abs(STUDENT.logits(X * unit_of_measure) - STUDENT.logits(X)).max() <= 1e-6


def test_saved_and_loaded(tmp_path):
    again = Student.load(STUDENT.save(tmp_path / "model.npz"))
    assert (again.classes, again.unit) == (CLASSES, True)
    assert np.array_equal(again.logits(X), STUDENT.logits(X))


@pytest.mark.parametrize("unit", [True, False])
def test_onnx_says_the_same(tmp_path, unit):
    onnxruntime = pytest.importorskip("onnxruntime")
    student = Student.of(MODEL, CLASSES, unit)
    session = onnxruntime.InferenceSession(student.to_onnx(tmp_path / "student.onnx"))
    probabilities, label = session.run(None, {"x": X.astype(np.float32)})
    assert np.allclose(probabilities, student.probabilities(X), atol=1e-5)
    assert label.tolist() == student.probabilities(X).argmax(1).tolist()
    meta = session.get_modelmeta().custom_metadata_map
    assert json.loads(meta["classes"]) == list(CLASSES)


def test_refused(tmp_path):
    with pytest.raises(BadInput, match="x has 2 features, the model was trained with 9"):
        STUDENT.logits(np.ones((1, 2)))
    with pytest.raises(BadInput, match="vertex 1: feature 2=nan must be finite"):
        STUDENT.probabilities(np.array([np.ones(9), [0, 0, np.nan, *np.ones(6)]]))
    np.savez(tmp_path / "other.npz", a=np.ones(1))
    with pytest.raises(BadInput, match=r"other\.npz: is no model of `parataxis lighthgnn train`"):
        Student.load(tmp_path / "other.npz")

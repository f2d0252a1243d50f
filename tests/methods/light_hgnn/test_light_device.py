"""Where tensors are made: on the device of the features, whatever it is.

The device "meta" computes nothing, but has tensors. While it is tried, every operation of torch with operands on two
devices is refused: what passes makes no tensor on a device of its own choice. Where there is a card, a whole fit is
compared as well.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.sparse import csr_array
from torch.overrides import TorchFunctionMode

from parataxis.errors import BadInput
from parataxis.methods.light_hgnn import LightHGNNClassifier
from parataxis.methods.light_hgnn import teaching as module
from parataxis.methods.light_hgnn.dataset import Dataset
from parataxis.methods.light_hgnn.model import TEACHERS, teacher_class
from parataxis.methods.light_hgnn.setting import Production, Setting
from parataxis.methods.light_hgnn.split import split
from parataxis.methods.light_hgnn.teaching import Guide, Recipe, Taught, distill, find_reliable, learn_alone, teach
from parataxis.nn.fit import Epoch, Fitted, named
from parataxis.nn.hypergraph import Hypergraph
from parataxis.nn.sparse import Sparse

N, D, C = 12, 5, 3
X = np.random.default_rng(0).random((N, D))
LABELS = np.arange(N) % C
HYPERGRAPH = Hypergraph.from_edges([[0, 3, 6, 9], [1, 4, 7], [2, 5]], N).with_singletons()
RECIPE = Recipe(hidden=6, teacher_hidden=4, epochs=1, label_share=0.5)


MOVING = (torch.Tensor.to, torch.Tensor.copy_, torch._has_compatible_shallow_copy_type)


class OneDevice(TorchFunctionMode):
    """Some kernels, such as that of embedding bags, don't look where their operands are; this does."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        given = [each for each in (*args, *(kwargs or {}).values()) if isinstance(each, torch.Tensor)]
        devices = {each.is_meta for each in given}
        if len(devices) > 1 and func not in MOVING:
            raise RuntimeError(f"{func}: operands on two devices")
        return func(*args, **(kwargs or {}))


def one_step(model, loss, optimizer, **options):
    """What `fit` does with a batch; it reads no number, which "meta" does not have."""
    model.train()
    loss(model, None, Epoch(0, np.random.default_rng(0), ())).backward()
    optimizer.step()
    return Fitted(pd.DataFrame(), 0, 0.0)


@pytest.fixture
def meta(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "fit", one_step)
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))  # kernels of "meta" import the compiler, which sets it
    with OneDevice():
        yield torch.device("meta")


def where(taught: Taught) -> set[str]:
    return {each.device.type for each in [taught.logits, *taught.model.parameters(), *taught.model.buffers()]}


@pytest.mark.parametrize("name", list(TEACHERS))
def test_teacher_and_students_stay_on_the_device_of_the_features(name, meta):
    x, guide = Sparse(X, device=meta), Guide.of(LABELS, range(6), range(6, 9), meta)
    through = teacher_class(name).propagation(HYPERGRAPH, device=meta)
    teacher = teach(name, x, through, guide, C, named(0), RECIPE)
    reliable = find_reliable(teacher, x, HYPERGRAPH, through, named(0), RECIPE)
    assert where(teacher) == {"meta"}
    assert reliable.rho.device == x.device == reliable.gather.device == meta
    dense = torch.from_numpy(X).float().to(meta)
    logits = torch.from_numpy(X[:, :C])  # of a teacher that was elsewhere
    assert where(distill(logits, dense, named(0), guide, reliable, RECIPE)) == {"meta"}
    assert where(learn_alone(dense, guide, C, named(0), RECIPE, labelled_only=True)) == {"meta"}


def test_what_a_user_asks_for_is_the_device_of_all_that_is_trained(meta, monkeypatch):
    monkeypatch.setattr(module, "rows", lambda x, some: Sparse(X[: len(some)], device=x.device))  # it reads numbers
    made = Dataset("made", csr_array(X), LABELS, HYPERGRAPH, range(N), tuple(range(C)))
    parts = split(LABELS, range(N), "0", 1, 1)
    whole = Setting.whole(made, parts, named(0), RECIPE, "meta")
    held_out = Production.of(made, parts, named(0), "0", 0.3, RECIPE, "meta").observed
    for setting in (whole, held_out):
        teacher, through = setting.teacher()
        told = replace(teacher, logits=torch.from_numpy(X[: setting.x.shape[0], :C]))  # which are looked at
        trained = [teacher, setting.alone(), setting.student(told, setting.reliable(teacher, through))]
        assert [where(each) for each in trained] == [{"meta"}] * 3
    monkeypatch.setattr("parataxis.nn.device.device_of", torch.device)  # which refuses one that keeps no numbers
    model = LightHGNNClassifier(hidden=6, teacher_hidden=4, epochs=1, plus=False, device="meta")
    with pytest.raises(RuntimeError, match="cannot be called on meta tensors"):  # the student looks at the logits
        model.fit(X, LABELS, hypergraph=HYPERGRAPH)
    assert model.teacher_.logits.device == meta


@pytest.mark.parametrize("name", ["cuda:99", "card"])
def test_a_device_that_is_not_there(name):
    with pytest.raises(BadInput, match=f"device='{name}': can't be used: .*; cpu always can"):
        LightHGNNClassifier(device=name).fit(X, LABELS)


def test_the_trick_catches_a_tensor_that_is_elsewhere(meta):
    through = teacher_class("hgnn").propagation(HYPERGRAPH)
    with pytest.raises(RuntimeError, match="operands on two devices"):
        teach("hgnn", Sparse(X, device=meta), through, Guide.of(LABELS, range(6), [], meta), C, named(0), RECIPE)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a card")
def test_a_fit_on_a_card_is_as_on_the_cpu():
    models = [
        LightHGNNClassifier(hidden=6, epochs=20, dropout=0.0, device=device).fit(X, LABELS, hypergraph=HYPERGRAPH)
        for device in ("cpu", "cuda")
    ]
    assert np.allclose(*(each.predict_proba(X) for each in models), atol=1e-3)

"""The fitting loop: what it does to the weights, when it stops, what it keeps, and that a resume changes no bit."""

import os
import signal
import socket
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from parataxis.errors import BadInput
from parataxis.nn.adam import Adam
from parataxis.nn.fit import Checkpoint, Epoch, fit, named, seeded
from parataxis.progress import watching

X = torch.randn(40, 5, generator=torch.Generator().manual_seed(1))
Y = X[:, 0] - 2 * X[:, 1]


def made(seed=0):
    with seeded(named(seed)("weights")):
        model = nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 1))
    return model, Adam(model.parameters(), lr=0.03, weight_decay=1e-3)


def squares(model, batch, epoch):
    batch = slice(None) if batch is None else batch
    return (model(X[batch]).squeeze(1) - Y[batch]).square().mean()


def drawn(epoch):
    return epoch.rng.permutation(40).reshape(5, 8)


def error(model):
    return {"error": float((model(X).squeeze(1) - Y).square().mean())}


def bits(model):
    return {name: each.numpy().tobytes() for name, each in model.state_dict().items()}


def run(epochs, path=None, identity="", **options):
    model, optimizer = made()
    given = {"epochs": epochs, "rng": named(0), "batches": drawn, "evaluate": error, "choose": "-error", **options}
    given["schedule"] = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.99)
    checkpoint = Checkpoint(path, identity, every=0.0) if path else None
    return model, fit(model, squares, optimizer, checkpoint=checkpoint, **given)


def test_is_plain_gradient_descent():
    """Against the loop written out, on a quadratic whose steps are known: w <- w - lr (w - 3)."""
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, 0.0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    found = fit(model, lambda m, b, e: (m.weight - 3).square().sum() / 2, optimizer, epochs=4, rng=named(0))
    assert model.weight.item() == 3 * (1 - 0.5**4)
    assert found.history.loss.tolist() == [4.5, 1.125, 0.28125, 0.0703125]
    assert found.best == 3


def test_learns_and_keeps_the_first_best_epoch():
    model, found = run(60)
    assert found.history.error.min() < 0.5 * found.history.error.iloc[0]
    assert found.best == int(found.history.error.argmin())
    with torch.no_grad():
        last = error(model)
    assert last["error"] == found.history.error.min()
    flat = fit(*arguments(), epochs=3, rng=named(0), evaluate=lambda m: {"same": 1.0}, choose="same")
    assert flat.best == 0  # strictly better only


def arguments():
    model, optimizer = made()
    return model, squares, optimizer


def test_stops_after_patience():
    values = iter([1.0, 3.0, 2.0, 2.0, 3.0, 9.0])
    found = fit(*arguments(), epochs=6, rng=named(0), evaluate=lambda m: {"v": next(values)}, choose="v", patience=3)
    assert (len(found.history), found.best) == (5, 1)


def test_same_names_same_bits_and_nothing_of_the_process_changes():
    torch.manual_seed(7)
    before = torch.get_rng_state()
    first, _ = run(4)
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(3)
    again, _ = run(4)
    assert bits(first) == bits(again)
    other, _ = run(4, rng=named(1))
    assert bits(first) != bits(other)


@pytest.mark.parametrize("cut", [1, 4, 9])
def test_a_resume_changes_no_bit(tmp_path, cut):
    whole, told = run(10)
    run(cut, tmp_path / "fit.pt")
    resumed, retold = run(10, tmp_path / "fit.pt")
    assert bits(resumed) == bits(whole)
    assert retold.history.equals(told.history)
    assert retold.best == told.best
    finished, _ = run(10, tmp_path / "fit.pt", batches=lambda epoch: [])  # nothing is left to do
    assert bits(finished) == bits(whole)


def test_killed_and_resumed_the_same_bits(tmp_path):
    path = tmp_path / "fit.pt"

    def tell(done, total, word):
        if done == 7:
            os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if not child:
        run(10, path, tell=tell)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    assert sorted(each.name for each in tmp_path.iterdir()) == ["fit.pt"]  # whole, and no half of another
    resumed, history = run(10, path)
    whole, told = run(10)
    assert bits(resumed) == bits(whole)
    assert history.history.equals(told.history)


def test_every_epoch_draws_anew():
    drawn_by_torch, drawn_by_numpy = [], []

    def loss(model, batch, epoch):
        drawn_by_torch.append(float(torch.rand(())))
        drawn_by_numpy.append(epoch.rng.random())
        return squares(model, batch, epoch)

    model, optimizer = made()
    fit(model, loss, optimizer, epochs=5, rng=named(0))
    assert len({*drawn_by_torch, *drawn_by_numpy}) == 10


def test_batches_may_follow_the_history():
    seen = []

    def batches(epoch):
        seen.append([row["error"] for row in epoch.history])
        return [np.arange(40)]

    _, found = run(3, batches=batches)
    errors = found.history.error.tolist()
    assert seen == [[], errors[:1], errors[:2]]


def test_clip_bounds_the_step():
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, 0.0)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    fit(model, lambda m, b, e: 1000 * m.weight.sum(), optimizer, epochs=1, rng=named(0), clip=0.25)
    assert model.weight.item() == pytest.approx(-0.25, rel=1e-4)


def infinite(model, batch, epoch):
    return squares(model, batch, epoch) * (float("nan") if epoch.number == 2 else 1)


WRONG = [
    ({"epochs": 0}, "epochs=0: expected at least 1"),
    ({"evaluate": None}, "choose='-error', patience=None: give evaluate as well"),
    ({"choose": "accuracy"}, "choose='accuracy': evaluate gives loss, error"),
    ({"choose": "", "patience": 2}, "patience=2: name with choose the metric that it waits for"),
    ({"evaluate": lambda model: {"error": float("nan")}}, "choose='-error': is nan in epoch 0; no epoch can be chosen"),
    ({"batches": lambda epoch: []}, "batches: epoch 0 has none; give at least one"),
]


@pytest.mark.parametrize(("options", "fragment"), WRONG, ids=[fragment for _, fragment in WRONG])
def test_refused(options, fragment):
    with pytest.raises(BadInput, match=fragment):
        run(**{"epochs": 2, **options})


def test_a_loss_that_is_not_finite():
    model, _, optimizer = arguments()
    with pytest.raises(BadInput, match="loss=nan in epoch 2: must be finite; lower the learning rate"):
        fit(model, infinite, optimizer, epochs=5, rng=named(0))


def test_checkpoints_of_others_are_refused(tmp_path):
    run(2, tmp_path / "fit.pt")
    for options in ({"rng": named(1)}, {"identity": "other data"}):
        with pytest.raises(BadInput, match=r"fit\.pt: is of a fit with another model, optimizer, seed or data"):
            run(3, tmp_path / "fit.pt", **options)
    (tmp_path / "fit.pt").write_bytes(b"half")
    with pytest.raises(BadInput, match=r"fit\.pt: is no checkpoint"):
        run(3, tmp_path / "fit.pt")
    torch.save({"weights": torch.zeros(1)}, tmp_path / "fit.pt")
    with pytest.raises(BadInput, match=r"fit\.pt: is no checkpoint of a fit"):
        run(3, tmp_path / "fit.pt")


def test_told_how_far_it_is(capsys, monkeypatch):
    monkeypatch.setattr("parataxis.progress.EVERY", 0.0)
    with watching("student") as tell:
        run(2, tell=tell)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(", loss ")[0] for line in lines] == ["1/2 student", "2/2 student"]


SEVERAL = """
import os, sys
sys.path[:0] = [{tests!r}]
import torch, torch._dynamo, test_fit
from accelerate import Accelerator
from parataxis.nn.adam import Adam
from parataxis.nn.fit import fit, named

child = os.fork()  # all is imported once
os.environ["RANK"] = os.environ["LOCAL_RANK"] = "0" if child else "1"
several = Accelerator(cpu=True)
model, _ = test_fit.made()
model = torch.nn.Sequential(model[0], model[4])  # without dropout and BatchNorm, shares average to the whole
optimizer = Adam(model.parameters(), lr=0.1)
found = fit(model, test_fit.squares, optimizer, epochs=3, rng=named(0), several=several,
            batches=lambda epoch: test_fit.drawn(epoch)[:4])
if several.is_main_process:
    torch.save([model.state_dict(), found.history.loss.tolist()], {path!r})
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_two_processes_average_their_gradients(tmp_path):
    """As one process whose batches are twice as large."""
    path = tmp_path / "several.pt"
    code = SEVERAL.format(tests=os.path.dirname(__file__), path=str(path))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "ACCELERATE_USE_CPU": "true"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **shared, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    weights, losses = torch.load(path)
    model = nn.Sequential(*(made()[0][place] for place in (0, 4)))
    optimizer = Adam(model.parameters(), lr=0.1)
    halves = fit(
        model, squares, optimizer, epochs=3, rng=named(0), batches=lambda epoch: drawn(epoch)[:4].reshape(2, 16)
    )
    for name, each in model.state_dict().items():
        assert torch.allclose(each, weights[name], atol=1e-6), name
    assert np.allclose(losses, halves.history.loss, atol=1e-6)


def test_an_epoch_knows_its_number():
    numbers = []

    def loss(model, batch, epoch: Epoch):
        numbers.append(epoch.number)
        return squares(model, batch, epoch)

    model, optimizer = made()
    fit(model, loss, optimizer, epochs=3, rng=named(0))
    assert numbers == [0, 1, 2]


def test_adam_is_torchs_to_the_bit():
    ours, theirs = made()[0], made()[0]
    pairs = [
        (Adam(ours.parameters(), lr=0.02, weight_decay=5e-4), ours),
        (torch.optim.Adam(theirs.parameters(), lr=0.02, weight_decay=5e-4, foreach=False), theirs),
    ]
    for optimizer, model in pairs:
        fit(model, squares, optimizer, epochs=5, rng=named(0))
    assert bits(ours) == bits(theirs)


def test_fitting_starts_no_compiler():
    code = (
        f"import sys; sys.path[:0] = [{os.path.dirname(__file__)!r}]\n"
        "from parataxis.nn import fit; from parataxis.nn.adam import Adam; import torch, os\n"
        "model = torch.nn.Linear(2, 1); x = torch.ones(3, 2)\n"
        "fit.fit(model, lambda m, b, e: m(x).sum(), Adam(model.parameters()), epochs=2, rng=fit.named(0))\n"
        "print('torch._dynamo' in sys.modules, 'TORCHINDUCTOR_CACHE_DIR' in os.environ)"
    )
    bare = {name: value for name, value in os.environ.items() if name != "TORCHINDUCTOR_CACHE_DIR"}
    done = subprocess.run([sys.executable, "-c", code], env=bare, capture_output=True, text=True)
    assert done.stdout.split() == ["False", "False"], done.stderr

"""AdamW in one call, against torch's own."""

import torch

from parataxis.nn.adam import AdamW
from parataxis.nn.fit import named, seeded


def _trained(kind, **options):
    with seeded(named(0)("weights")):
        model = torch.nn.Linear(5, 3)
        groups = [{"params": [model.weight], "weight_decay": 0.1}, {"params": [model.bias], "weight_decay": 0.0}]
        optimizer = kind(groups, lr=0.01, **options)
        for _ in range(20):
            optimizer.zero_grad()
            model(torch.randn(7, 5)).square().sum().backward()
            optimizer.step()
    return model


def test_it_is_that_of_torch_to_the_bit():
    ours, theirs = _trained(AdamW), _trained(torch.optim.AdamW, fused=True)
    assert torch.equal(ours.weight, theirs.weight)
    assert torch.equal(ours.bias, theirs.bias)

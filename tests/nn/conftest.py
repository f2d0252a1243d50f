"""What the tests share that fit small models."""

import pytest
import torch
import torch._dynamo  # the first of torch.optim's optimizers imports it, and sets a variable: before any test


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """Small models gain nothing from threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)

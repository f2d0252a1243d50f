"""What the tests share that fit small models."""

import pytest
import torch._dynamo  # noqa: F401  (torch.optim's optimizers import it, which sets a variable: before any test)


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """Small models gain nothing from threads."""
    from parataxis.nn.threads import one_thread

    with one_thread():
        yield

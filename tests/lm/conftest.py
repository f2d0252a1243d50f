"""What the tests share that ask a language model."""

import pytest
import torch
import transformers.processing_utils  # noqa: F401  (puts another module in the place of transformers: before any test)


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """Tiny models gain nothing from threads, and lose much to them where others compute."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)

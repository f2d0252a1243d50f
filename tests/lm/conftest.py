"""What the tests share that ask a language model."""

import pytest
import transformers.processing_utils  # noqa: F401  (puts another module in the place of transformers: before any test)


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """Tiny models gain nothing from threads, and lose much to them where others compute."""
    from parataxis.nn.threads import one_thread

    with one_thread():
        yield

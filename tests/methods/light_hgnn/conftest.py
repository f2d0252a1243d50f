"""What the tests share that train small models."""

import pytest


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """Small models gain nothing from threads."""
    from parataxis.nn.threads import one_thread

    with one_thread():
        yield

import pytest


@pytest.fixture(scope="session")
def numbers():
    return tuple(range(10))


@pytest.fixture(scope="module")
def table(numbers):
    return {n: n * n for n in numbers}

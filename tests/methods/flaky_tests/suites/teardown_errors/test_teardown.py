# Planted: fixtures of two classes and of the module fail in their teardown, once with an exception, once with
# pytest.fail, once with both kinds. Plain pytest blames whichever test ran last.
# Right: nothing is flaky; the failed teardowns are reported as what they are. test_own_fixture always ends in an error.
import pytest


@pytest.fixture(scope="module")
def server():
    yield "server"
    raise OSError("server did not stop")


@pytest.fixture(scope="class")
def table():
    yield "table"
    raise RuntimeError("table is locked")


@pytest.fixture(scope="class")
def index():
    yield "index"
    pytest.fail("index is locked")


@pytest.fixture
def own():
    yield "own"
    raise RuntimeError("own teardown")


class TestTable:
    def test_one(self, table):
        assert table

    def test_two(self, table):
        assert table


class TestIndex:
    def test_one(self, index, server):
        assert index

    def test_two(self, index):
        assert index


def test_own_fixture(own):
    assert own


def test_bystander(server):
    assert server

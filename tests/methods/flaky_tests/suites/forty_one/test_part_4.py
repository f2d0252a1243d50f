import pytest


@pytest.mark.parametrize("text", ["a", "b", "c", "d", "e", "f", "g"])
def test_upper(text):
    assert text.upper() != text


class TestList:
    @pytest.fixture
    def items(self):
        return [3, 1, 2]

    def test_sorted(self, items):
        assert sorted(items) == [1, 2, 3]

    def test_length(self, items):
        assert len(items) == 3

    def test_append(self, items):
        items.append(4)
        assert items[-1] == 4

    def test_pop(self, items):
        assert items.pop() == 2

    def test_reverse(self, items):
        assert items[::-1] == [2, 1, 3]


class TestText:
    def test_join(self):
        assert "-".join("ab") == "a-b"

    def test_split(self):
        assert "a b".split() == ["a", "b"]

    def test_strip(self):
        assert " a ".strip() == "a"

    def test_format(self):
        assert f"{1:03d}" == "001"

    def test_folder(self, tmp_path):
        assert tmp_path.is_dir()

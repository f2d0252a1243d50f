import pytest

from planted import NUMBERS


@pytest.fixture
def data(tmp_path, monkeypatch):
    """The planted method's data, where its study looks for them."""
    (tmp_path / "data" / "planted-gap").mkdir(parents=True)
    (tmp_path / "data" / "planted-gap" / "numbers.txt").write_text(NUMBERS)
    monkeypatch.setenv("PARATAXIS_DATA", str(tmp_path / "data"))

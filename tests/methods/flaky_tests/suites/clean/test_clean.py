# Planted: nothing. Parameters, classes, fixtures of every scope, captured output, temporary folders, logging, warnings.
# Right: nothing is flaky.
import logging
import os
import sys
import tempfile
import warnings

import pytest


@pytest.mark.parametrize("n", range(2))
def test_square(table, n):
    assert table[n] == n**2


class TestFolder:
    def test_write(self, tmp_path):
        (tmp_path / "file").write_text("here")
        assert os.listdir(tmp_path) == ["file"]

    def test_empty(self, tmp_path):
        assert os.listdir(tmp_path) == []

    def test_tempfile(self):
        with tempfile.NamedTemporaryFile() as stream:
            assert stream.name.startswith(tempfile.gettempdir())


class TestOutput:
    def test_print(self, capsys):
        print("hello")
        assert capsys.readouterr().out == "hello\n"

    def test_descriptor(self, capfd):
        os.write(1, b"raw")
        os.write(2, b"error")
        assert capfd.readouterr() == ("raw", "error")

    def test_nothing(self, capfd):
        assert capfd.readouterr() == ("", "")

    def test_log(self, caplog):
        logging.getLogger("clean").warning("careful")
        assert [record.message for record in caplog.records] == ["careful"]

    def test_input(self):
        with pytest.raises((OSError, EOFError)):
            input()


class TestPatches:
    @pytest.fixture(autouse=True, scope="class")
    def shared(self):
        return []

    def test_environment(self, monkeypatch):
        monkeypatch.setenv("CLEAN", "1")
        assert os.environ["CLEAN"] == "1"

    def test_no_environment(self):
        assert "CLEAN" not in os.environ

    def test_folder(self, monkeypatch, tmp_path):
        monkeypatch.chdir(tmp_path)
        assert os.getcwd() == str(tmp_path)

    def test_path(self, monkeypatch):
        monkeypatch.setattr(sys, "path", [])
        assert sys.path == []

    def test_warning(self):
        with pytest.warns(UserWarning, match="old"):
            warnings.warn("old", stacklevel=1)


def test_session(numbers):
    assert len(numbers) == 10


def test_relative_file():
    assert os.path.exists("pytest.ini")

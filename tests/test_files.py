import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parataxis.errors import BadInput
from parataxis.files import JsonLines, locked, read_json_lines, try_folder, write_atomic


@pytest.mark.parametrize("content", ["grüße\n", b"\x00\xff"])
def test_a_file_is_written_whole_and_alone(tmp_path, content):
    path = write_atomic(tmp_path / "new" / "a.txt", content)
    assert path.read_bytes() == (content.encode() if isinstance(content, str) else content)
    assert os.listdir(path.parent) == ["a.txt"]


def test_the_rights_of_a_file_are_those_of_any_other(tmp_path):
    plain = tmp_path / "plain"
    plain.write_text("")
    assert write_atomic(tmp_path / "atomic", "").stat().st_mode == plain.stat().st_mode


def test_what_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "inside").write_text("old")
    with pytest.raises(BadInput, match=r"folder: can't be written \(Is a directory\); name another place"):
        write_atomic(tmp_path / "folder", "new")  # a folder can't be replaced by a file
    assert os.listdir(tmp_path) == ["folder"]
    assert (tmp_path / "folder" / "inside").read_text() == "old"


def test_a_folder_is_tried_before_the_work(tmp_path):
    try_folder(tmp_path / "new" / "folder")
    assert os.listdir(tmp_path / "new" / "folder") == []
    (tmp_path / "file").write_text("old")
    for folder in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/x")):
        with pytest.raises(BadInput, match=rf"{folder}: can't be written \(.+\); name another place"):
            try_folder(folder)
        with pytest.raises(BadInput, match=rf"{folder}/a: can't be written \(.+\); name another place"):
            write_atomic(folder / "a", "")
    assert (tmp_path / "file").read_text() == "old"


def test_a_log_is_read_back_in_order(tmp_path):
    rows = [{"a": 1}, {"b": [1.5, None]}, {"c": "grüße\n"}]
    with JsonLines(tmp_path / "deep" / "log.jsonl") as log:
        for row in rows:
            log.append(row)
            assert list(log)[-1] == row  # on disk at once
    with JsonLines(log.path) as log:
        log.append({"d": 4})
    assert list(read_json_lines(log.path)) == [*rows, {"d": 4}]


@given(st.integers(0, 40))
def test_a_log_cut_anywhere_keeps_its_whole_lines(cut):
    import tempfile

    lines = b'{"a":1}\n{"b":22}\n{"c":333}\n'
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/log.jsonl"
        with open(path, "wb") as stream:
            stream.write(lines[:cut])
        whole = [json.loads(line) for line in lines[:cut].splitlines(keepends=True) if line.endswith(b"\n")]
        assert list(read_json_lines(path)) == whole
        with JsonLines(path) as log:
            log.append({"d": 4})
        assert list(read_json_lines(path)) == [*whole, {"d": 4}]


def test_a_number_that_json_has_not_is_refused(tmp_path):
    with JsonLines(tmp_path / "log.jsonl") as log, pytest.raises(ValueError, match="JSON compliant"):
        log.append({"a": float("nan")})
    assert (tmp_path / "log.jsonl").read_text() == ""


def test_what_was_appended_survives_a_kill(tmp_path):
    code = (
        "import os, sys; from parataxis.files import JsonLines; log = JsonLines(sys.argv[1])\n"
        "for k in range(5): log.append({'k': k})\n"
        "os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "log.jsonl")], check=False)
    assert done.returncode == -9
    assert [row["k"] for row in read_json_lines(tmp_path / "log.jsonl")] == [0, 1, 2, 3, 4]


def test_a_locked_file_is_one_processs_alone(tmp_path):
    path = tmp_path / "log"
    with locked(path) as stream:
        stream.write(b"x")
        with pytest.raises(BlockingIOError):
            locked(path)
    with locked(path):
        assert path.read_bytes() == b"x"

import json
from dataclasses import replace

import pytest

from parataxis.errors import BadInput
from parataxis.methods.flaky_tests.journal import DIAGNOSES, NAME, Entry, Head, Journal, check_same, read_journal
from parataxis.methods.flaky_tests.outcomes import Run

HEAD = Head(
    root="/suite",
    arguments=["-q"],
    protocol="quick",
    level="class",
    seed=0,
    timeout=10.0,
    ids=["a.py::test_a", "a.py::test_b"],
    declared=[],
    seeded=["ab"],
    forks=True,
    isolation="none",
    because=["no overlay"],
    errors=[["b.py", "SyntaxError"]],
    interpreter="/usr/bin/python3",
    python="3.11.7",
    pytest="9.2.0",
    parataxis="0.1.0",
)
ENTRIES = [
    Entry(Run(0, "same", 0, (0, 1), "..", 0.25), durations=[0.1, 0.2]),
    Entry(Run(0, "random", 0, (1, 0), "F.", 0.5), messages={0: "a.py:3: assert"}, leaving=[1]),
    Entry(Run(0, "replay", 0, (1, 0), "-C", 0.5, of="random/0")),
]


@pytest.fixture
def folder(tmp_path):
    with Journal(tmp_path / "out", resume=False) as journal:
        journal.begin(HEAD)
        for entry in ENTRIES:
            journal.add(entry)
    return tmp_path / "out"


def test_what_was_written_is_read_back(folder):
    assert read_journal(folder) == (HEAD, ENTRIES)
    assert read_journal(folder / NAME) == (HEAD, ENTRIES)


def test_a_hunt_goes_on_after_a_kill_in_the_middle_of_a_line(folder):
    text = (folder / NAME).read_bytes()
    (folder / NAME).write_bytes(text[:-7])
    with Journal(folder, resume=True) as journal:
        assert (journal.head, journal.entries) == (HEAD, ENTRIES[:2])
        journal.add(ENTRIES[2])
    assert read_journal(folder) == (HEAD, ENTRIES)


def test_a_new_hunt_forgets_the_old_one_and_what_explains_it(folder):
    (folder / DIAGNOSES).write_text("{}\n")
    with Journal(folder, resume=True):
        assert (folder / DIAGNOSES).exists()
    with Journal(folder, resume=False) as journal:
        assert (journal.head, journal.entries) == (None, [])
        assert read_journal(folder) == (HEAD, ENTRIES), "a hunt that collects nothing takes the place of none"
        assert (folder / DIAGNOSES).exists()
        journal.begin(replace(HEAD, seed=7))
        assert read_journal(folder) == (replace(HEAD, seed=7), [])
    assert not (folder / DIAGNOSES).exists()


def test_a_record_of_an_earlier_version_is_read(folder):
    """What it does not say has a default."""
    lines = (folder / NAME).read_text().splitlines()
    head = {name: value for name, value in json.loads(lines[0]).items() if name not in ("unsteady", "enough")}
    (folder / NAME).write_text("\n".join([json.dumps(head), *lines[1:], ""]))
    assert read_journal(folder) == (HEAD, ENTRIES)


@pytest.mark.parametrize(
    ("name", "value"), [("seed", 1), ("protocol", "paper"), ("arguments", []), ("level", "nested")]
)
def test_a_hunt_goes_on_only_if_it_is_asked_the_same(folder, name, value):
    asked = {each: getattr(HEAD, each) for each in ("root", "arguments", "protocol", "level", "seed")}
    check_same(HEAD, asked, folder / NAME)
    with pytest.raises(BadInput, match=f"was begun with {name}="):
        check_same(HEAD, {**asked, name: value}, folder / NAME)


@pytest.mark.parametrize("text", ["[]\n", '{"form": 2}\n', '{"form": 1}\n'])
def test_a_file_that_is_no_hunt_is_refused(tmp_path, text):
    (tmp_path / NAME).write_text(text)
    with pytest.raises(BadInput, match=f"{NAME}:1: is no head of a hunt that this version reads"):
        read_journal(tmp_path)
    with pytest.raises(BadInput, match="is no head"):
        Journal(tmp_path, resume=True)


def test_a_hunt_of_before_a_setting_was_there_is_read(folder):
    head, *rest = (folder / NAME).read_text().splitlines(keepends=True)
    older = {name: value for name, value in json.loads(head).items() if name != "enough"}
    (folder / NAME).write_text(json.dumps(older) + "\n" + "".join(rest))
    assert read_journal(folder)[0] == HEAD


def test_nothing_to_read_is_said(tmp_path):
    with pytest.raises(BadInput, match=r"holds no hunt\.jsonl; `parataxis tests hunt` writes one"):
        read_journal(tmp_path)
    for data in (b"", b"text\n", b"\xff\n"):
        (tmp_path / NAME).write_bytes(data)
        with pytest.raises(BadInput, match="holds no hunt; "):
            read_journal(tmp_path)


def test_a_row_of_something_else_is_refused(folder):
    with open(folder / NAME, "a") as stream:
        stream.write(json.dumps({**ENTRIES[0].to_row(), "outcomes": "?!"}) + "\n")
    with pytest.raises(BadInput, match="outcomes hold"):
        read_journal(folder)


def test_two_hunts_do_not_write_one_record(folder):
    with (
        Journal(folder, resume=True),
        pytest.raises(BadInput, match=r"another hunt is at work there; wait, or name another folder"),
    ):
        Journal(folder, resume=False)
    assert read_journal(folder) == (HEAD, ENTRIES)


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match=r"--out .*file/out: can't be written"):
        Journal(tmp_path / "file" / "out", resume=False)

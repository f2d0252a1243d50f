"""What the documentation shows is what happens: its examples are run, and print what stands there."""

import doctest
import os
import subprocess
import sys
from pathlib import Path

import pytest

from parataxis.studies.registry import methods

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("name", [each.folder.name for each in methods().values()])
def test_a_methods_example_prints_what_its_page_shows(name, tmp_path):
    """Without data: whoever has installed the method can run it."""
    program = ROOT / "examples" / f"{name}.py"
    assert program.exists(), "a method's page begins with an example"
    environment = {**os.environ, "PARATAXIS_DATA": str(tmp_path)}
    command = [sys.executable, "-W", "error", program]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == program.with_suffix(".txt").read_text()


def test_an_example_is_short():
    for program in (ROOT / "examples").glob("*.py"):
        lines = program.read_text().splitlines()
        assert len(lines) <= 40, program.name


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda path: path.stem)
def test_lines_at_a_prompt_give_what_follows_them(page):
    failed, tried = doctest.testfile(str(page), module_relative=False)
    assert failed == 0
    assert tried > 0 or page.stem != "statistics"

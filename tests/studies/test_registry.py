import subprocess
import sys

import pytest

from parataxis.errors import BadInput
from parataxis.studies.registry import choose, load_study, methods
from planted import plant


def test_methods_are_found_without_importing_them(planted):
    (planted / "planted_gap" / "__init__.py").write_text("raise RuntimeError('imported')\n")
    found = methods([planted])
    assert list(found) == sorted(found)
    method = found["planted-gap"]
    assert method.folder == planted / "planted_gap"
    assert method.package == "planted_gap"
    assert method.paper.command == "gap"


def test_our_own_methods_are_in_our_package():
    for name, method in methods().items():
        assert method.package == "parataxis.methods." + name.replace("-", "_")


def test_a_folder_that_is_named_otherwise_is_refused(planted):
    (planted / "planted_gap").rename(planted / "gulf")
    with pytest.raises(BadInput, match=r"gulf/paper.toml: name='planted-gap': expected 'gulf', as the folder"):
        methods([planted])


def test_a_name_and_a_command_are_taken_once(tmp_path):
    first, second = plant(tmp_path / "a"), plant(tmp_path / "b")
    with pytest.raises(BadInput, match=r"b/planted_gap/paper.toml: name='planted-gap' is taken by .*a/planted_gap"):
        methods([first, second])
    third = plant(tmp_path / "c", ("paper.toml", '"gap"\ntitle', '"gap"\ntitle'), name="other-gap")
    path = third / "other_gap" / "paper.toml"
    path.write_text(path.read_text().replace('command = "other-gap"', 'command = "gap"'))
    with pytest.raises(BadInput, match=r"command='gap' is taken by planted-gap"):
        methods([first, third])


def test_methods_are_chosen_by_name(planted, tmp_path):
    known = methods([planted, plant(tmp_path / "b", name="other-gap")])
    assert [each.name for each in choose([], known)] == list(known)
    assert [each.name for each in choose(["planted-gap", "other-gap", "planted-gap"], known)] == [
        "planted-gap",
        "other-gap",
    ]
    there = "no method is named 'gpa'; there: .*other-gap, .*planted-gap.*parataxis papers"
    with pytest.raises(BadInput, match=there):
        choose(["gpa"], known)


LOAD = """
import sys
from parataxis.errors import BadInput
from parataxis.studies.registry import load_study, methods
try:
    print(load_study(methods([sys.argv[1]])["planted-gap"]).toy.__name__)
except BadInput as error:
    print("BadInput", error)
except ModuleNotFoundError as error:
    print("ModuleNotFoundError", error)
"""


def load(folder):
    done = subprocess.run([sys.executable, "-c", LOAD, str(folder)], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_a_study_is_loaded_when_it_is_asked_for(planted):
    assert load(planted) == "toy"


def test_a_missing_extra_is_told_with_its_remedy(tmp_path):
    needs = ("gap.py", "import math\n", "import absent_library.part\n")
    with_extra = plant(tmp_path / "a", needs, ("paper.toml", 'extra = ""', 'extra = "lm"'))
    assert load(with_extra) == (
        "BadInput planted-gap: needs absent_library, which is not installed; pip install 'parataxis[lm]'"
    )
    assert load(plant(tmp_path / "b", needs)).startswith("ModuleNotFoundError")  # our own bug: no extra would mend it


def test_a_missing_module_of_ours_is_no_missing_extra(tmp_path):
    folder = plant(
        tmp_path, ("study.py", "planted_gap.gap", "planted_gap.gulf"), ("paper.toml", 'extra = ""', 'extra = "lm"')
    )
    assert load(folder).startswith("ModuleNotFoundError No module named 'planted_gap.gulf'")


def test_load_study_is_the_module(planted):
    for method in methods().values():
        if not method.paper.extra:
            assert load_study(method).__name__ == f"{method.package}.study"


def test_what_an_extra_lacks_is_told_without_importing_it(tmp_path, monkeypatch):
    needs = [
        "numpy>=2",
        "absent-library[fast]>=1,<2; extra == 'lm'",
        'absent-other; extra == "graph"',
        "x; extra == 'lmx'",
    ]
    monkeypatch.setattr("importlib.metadata.requires", lambda name: needs)
    told = {}
    for extra in ("", "lm", "none"):
        folder = plant(tmp_path / f"with-{extra}", ("paper.toml", 'extra = ""', f'extra = "{extra}"'))
        told[extra] = methods([folder])["planted-gap"].lacks()
    remedy = "planted-gap: needs absent-library, which is not installed; pip install 'parataxis[lm]'"
    assert told == {"": "", "lm": remedy, "none": ""}
    monkeypatch.setattr("importlib.metadata.requires", lambda name: ["numpy>=2; extra == 'lm'"])
    assert methods([tmp_path / "with-lm"])["planted-gap"].lacks() == ""

"""What the tests of the page share."""

import sys

from parataxis.claims import Measurement
from parataxis.studies.store import Store

TOKEN = "a token that is long enough"
SLOW = ("study.py", '    yield Table("numbers"', '    __import__("time").sleep(60)\n    yield Table("numbers"')


def command(folder):
    """How the child is called, so that it knows the planted method, too."""
    return sys.executable, "-c", f"from parataxis.cli import main; main(folders=[{str(folder)!r}])"


def keep(tmp_path, value=1.0, version=1, note=""):
    """A finished run of the planted method that measured its first claim only."""
    with Store(tmp_path / "e.sqlite") as store:
        run = store.begin("planted-gap", "quick", 0, "code", fresh=True)
        store.add(run.id, Measurement("gap", value, value, value, 40, "points", note=note), version, {})
        store.finish(run.id)

"""Which methods there are: found by their paper.toml alone, imported only when one is called."""

import importlib.metadata
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from parataxis.claims import Paper
from parataxis.errors import BadInput
from parataxis.paper_file import read_paper

BUILT_IN = Path(__file__).parent.parent / "methods"


@dataclass(frozen=True)
class Method:
    """A paper and its package. folder: the package's; package: its dotted name."""

    paper: Paper
    folder: Path
    package: str

    @property
    def name(self) -> str:
        return self.paper.name

    def lacks(self) -> str:
        """What of the method's extra is not installed, with the remedy; "" if nothing is. Imports none of it."""
        wanted = importlib.metadata.requires("parataxis") or [] if self.paper.extra else []
        for each in wanted:
            library, _, marker = each.partition(";")
            name = re.split(r"[^\w.-]", library)[0]
            if re.search(rf"extra == ['\"]{self.paper.extra}['\"]", marker) and not _installed(name):
                return self._remedy(name)
        return ""

    def _remedy(self, missing: str) -> str:
        return f"{self.name}: needs {missing}, which is not installed; pip install 'parataxis[{self.paper.extra}]'"

    def load(self, room: str) -> ModuleType:
        """Import one of the package's modules ("study", "cli"). A missing extra is BadInput with the remedy."""
        if "." not in self.package and str(self.folder.parent) not in sys.path:
            sys.path.insert(0, str(self.folder.parent))
        try:
            return importlib.import_module(f"{self.package}.{room}")
        except ModuleNotFoundError as error:
            missing = error.name or ""
            if not self.paper.extra or missing.split(".")[0] in ("parataxis", self.package.split(".")[0]):
                raise
            raise BadInput(self._remedy(missing)) from None


def _installed(distribution: str) -> bool:
    try:
        importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def methods(folders: Iterable[Path] = ()) -> dict[str, Method]:
    """Every method by name, in the order of names. folders: hold more method packages than our own."""
    found: dict[str, Method] = {}
    commands: dict[str, str] = {}
    for folder, prefix in [(BUILT_IN, "parataxis.methods."), *((Path(each).resolve(), "") for each in folders)]:
        for path in sorted(folder.glob("*/paper.toml")):
            paper = read_paper(path)
            if path.parent.name != paper.name.replace("-", "_"):
                raise BadInput(
                    f"{path}: name={paper.name!r}: expected {path.parent.name.replace('_', '-')!r}, as the folder"
                )
            if paper.name in found:
                raise BadInput(f"{path}: name={paper.name!r} is taken by {found[paper.name].folder}")
            if paper.command in commands:
                raise BadInput(f"{path}: command={paper.command!r} is taken by {commands[paper.command]}")
            commands[paper.command] = paper.name
            found[paper.name] = Method(paper, path.parent, prefix + path.parent.name)
    return dict(sorted(found.items()))


def choose(names: Sequence[str], known: dict[str, Method]) -> list[Method]:
    """The methods of these names, each once; all of them without a name."""
    for name in names:
        if name not in known:
            raise BadInput(f"no method is named {name!r}; there: {', '.join(known) or 'none'} (see `parataxis papers`)")
    return [known[name] for name in dict.fromkeys(names or known)]


def load_study(method: Method) -> ModuleType:
    """The module study.py: `study(ctx)`, `toy(rng)`, `systems(inputs)`."""
    return method.load("study")

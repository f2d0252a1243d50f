"""A list of projects whose suites are to be hunted in: a CSV file, a row a project."""

import csv
import hashlib
import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from parataxis.errors import BadInput

# FlaPy's list of repositories (repos.csv), and the names in real-projects.json
SYNONYMS = {"Project_Name": "name", "Project_URL": "url", "Project_Hash": "sha", "pypi": "name"}
SOURCES = ("version", "path", "url")
NOTHING = "-"  # in place of what to install
LEFT_OUT = (".venv", "venv", ".tox", ".nox", ".parataxis", "__pycache__", ".pytest_cache")  # of a folder


@dataclass(frozen=True)
class Project:
    """A row. Exactly one of version (on the package index), path (a folder or an sdist) and url (git) is given.

    sha: the commit of the url; sha256: of the sdist, or ""; install: words for pip, or "-" for no environment of its
    own; test_args: words for pytest, which is started in the project's root.
    """

    name: str
    version: str = ""
    path: str = ""
    url: str = ""
    sha: str = ""
    sha256: str = ""
    install: str = ""
    test_args: str = ""

    def content(self) -> str:
        """A hash of what is to be run: of the row, and of the files if they are here. Raises BadInput."""
        known = hashlib.sha256(json.dumps({**asdict(self), "path": ""}).encode())
        if self.path:
            if not Path(self.path).exists():
                raise BadInput(f"path={self.path}: there is no such file or folder")
            for relative, file in _files(Path(self.path)):
                known.update(f"{relative}\0{file.stat().st_size}\0".encode() + file.read_bytes())
        return known.hexdigest()


@dataclass(frozen=True)
class Unit:
    """What is asked: one project by one protocol.

    limit: seconds that it may take in all; rebuild: a new environment for each iteration; explain: say why its flaky
    tests are, too.
    """

    project: Project
    out: Path
    protocol: str = "quick"
    seed: int = 0
    limit: float = 3600.0
    rebuild: bool = False
    explain: bool = True

    def folder(self) -> Path:
        asked = f"{self.project.content()}/{self.protocol}/{self.seed}/{self.rebuild}"
        return self.out / f"{self.project.name}-{hashlib.sha256(asked.encode()).hexdigest()[:12]}"


def _files(path: Path) -> Iterator[tuple[str, Path]]:
    if not path.is_dir():
        yield path.name, path
        return
    for file in sorted(path.rglob("*")):
        relative = file.relative_to(path)
        if file.is_file() and not set(relative.parts) & {*LEFT_OUT, ".git"}:
            yield relative.as_posix(), file


def read_projects(path: Path) -> list[Project]:
    """The projects of a CSV file. Raises BadInput, naming the line."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream, strict=True)
            columns = [SYNONYMS.get(name, name) for name in reader.fieldnames or ()]
            known = set(Project.__dataclass_fields__)
            if unknown := [name for name in columns if name not in known]:
                raise BadInput(f"{path}:1: no column {unknown[0]!r} is known; there are {', '.join(sorted(known))}")
            if "name" not in columns:
                raise BadInput(f"{path}:1: expected a column 'name'")
            reader.fieldnames = columns
            projects: dict[Project, int] = {}
            for row in reader:
                project = _project(row, path, f"{path}:{reader.line_num}")
                if project in projects:
                    raise BadInput(f"{path}:{reader.line_num}: is the same as line {projects[project]}; drop one")
                projects[project] = reader.line_num
    except OSError as error:
        raise BadInput(f"{path}: can't be read: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"{path}: is no CSV in UTF-8: {error}") from None
    if not projects:
        raise BadInput(f"{path}: holds no project")
    return list(projects)


def _project(row: dict[str, str | None], path: Path, where: str) -> Project:
    if None in row or None in row.values():
        raise BadInput(f"{where}: expected as many cells as in line 1")
    project = Project(**{name: (value or "").strip() for name, value in row.items()})
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", project.name):
        raise BadInput(f"{where}: name={project.name!r}: expected letters, digits, '.', '_' and '-'")
    given = [name for name in SOURCES if getattr(project, name)]
    if len(given) != 1:
        raise BadInput(f"{where}: {project.name} has {' and '.join(given) or 'no source'}; expected one of {SOURCES}")
    if project.url and not re.fullmatch(r"[0-9a-f]{7,64}", project.sha):
        raise BadInput(f"{where}: sha={project.sha!r}: expected the commit of {project.url}")
    for name in ("install", "test_args"):
        try:
            shlex.split(getattr(project, name))
        except ValueError as error:
            raise BadInput(f"{where}: {name}={getattr(project, name)!r}: {error}") from None
    if not project.path:
        return project
    return Project(**{**asdict(project), "path": str((path.parent / project.path).resolve())})

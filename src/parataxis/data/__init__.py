"""Finding a paper's data files: in $PARATAXIS_DATA, else in an installed package, else fetched once and kept."""

import gzip
import hashlib
import os
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from parataxis.claims import DataFile, Paper
from parataxis.errors import BadInput

FOLDER = "PARATAXIS_DATA"


def find(paper: Paper, file: str) -> Path:
    """The path of a file that paper.toml declares, checked.

    Taken from `$PARATAXIS_DATA/<folder>/<file>` if it is there, else from an installed package or the cache if it is
    the official file there, else fetched into the cache. BadInput if it is none of these, or another file in the
    folder.
    """
    entry = _declared(paper, file)
    return _there(paper, entry) or _fetched(paper, entry, _cached(paper, entry))


def lacks(paper: Paper, file: str) -> bool:
    """Whether a file that paper.toml declares is neither here nor to be fetched, as it has no public address.

    Another file in its place is for `find` to refuse.
    """
    entry = _declared(paper, file)
    with suppress(BadInput):
        return not entry.url and _there(paper, entry) is None
    return False


def _declared(paper: Paper, file: str) -> DataFile:
    declared = {each.file: each for each in paper.data}
    if file not in declared:
        raise BadInput(f"{paper.name}: data file {file!r} is not in paper.toml; there: {', '.join(declared) or 'none'}")
    return declared[file]


def _there(paper: Paper, entry: DataFile) -> Path | None:
    folder = os.environ.get(FOLDER)
    if folder and (path := Path(folder, paper.data_folder or paper.name, entry.file)).exists():
        allowed = (entry.sha256, *entry.parts)
        if entry.sha256 and digest(path, entry.packed) not in allowed:
            fetched = ", or take this one away to have it fetched" if entry.url else ""
            raise BadInput(
                f"{path}: sha256={digest(path, entry.packed)}: expected {' or '.join(filter(None, allowed))}; "
                f"put the official file there{fetched}"
            )
        return path
    places = (*_installed(entry), _cached(paper, entry))
    return next((path for path in places if path.exists() and _official(path, entry)), None)


def _cached(paper: Paper, entry: DataFile) -> Path:
    import platformdirs

    return platformdirs.user_cache_path("parataxis") / paper.name / entry.file


def _installed(entry: DataFile) -> Iterator[Path]:
    for place in entry.installed:
        package, _, inside = place.rpartition(":")
        if not package:
            yield Path(place)
        elif spec := find_spec(package):
            yield from (Path(folder, inside) for folder in spec.submodule_search_locations or ())


def _official(path: Path, entry: DataFile) -> bool:
    try:
        return digest(path, entry.packed) == entry.sha256
    except BadInput:  # cut off
        return False


def digest(path: Path, packed: str = "") -> str:
    """The sha256 of a file, of what is inside if it is packed. Read once a process, and again if the file changes."""
    state = path.stat()
    return _digest(path, packed, state.st_mtime_ns, state.st_size)


@cache
def _digest(path: Path, packed: str, mtime: int, size: int) -> str:
    with gzip.open(path) if packed else open(path, "rb") as stream:
        try:
            return hashlib.file_digest(stream, "sha256").hexdigest()
        except (gzip.BadGzipFile, zlib.error, EOFError) as error:
            raise BadInput(f"{path}: is not a whole gzip file: {error}; put the official file there") from None


def _fetched(paper: Paper, entry: DataFile, path: Path) -> Path:
    if not entry.url:
        raise BadInput(f"{_missing(paper, entry)}; it can't be fetched: it has no public address")
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as work:
        official, kept = _fetch(paper, entry, Path(work)), Path(work, "kept")
        with (
            open(official, "rb") as source,
            open(kept, "wb") as plain,
            gzip.GzipFile(fileobj=plain, mode="wb", mtime=0) if entry.packed else plain as target,
        ):
            shutil.copyfileobj(source, target)
        os.replace(kept, path)
    return path


def _fetch(paper: Paper, entry: DataFile, folder: Path) -> Path:
    import pooch
    import requests

    pooch.get_logger().info("%s: %s; licence: %s", paper.name, entry.file, entry.licence)
    try:
        return Path(pooch.retrieve(entry.url, known_hash=entry.sha256, fname="official", path=folder))
    except (requests.RequestException, OSError) as error:
        reason = type(error).__name__
    except ValueError:  # pooch's word for another sha256
        reason = "what lies there has another sha256"
    raise BadInput(f"{_missing(paper, entry)}; it can't be fetched from {entry.url}: {reason}")


def _missing(paper: Paper, entry: DataFile) -> str:
    place = Path(os.environ.get(FOLDER) or f"${FOLDER}", paper.data_folder or paper.name, entry.file)
    packed = " (gzip-compressed)" if entry.packed else ""
    return f"{paper.name}: {entry.file} is missing; put it at {place}{packed}"

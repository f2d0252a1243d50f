"""Finding a paper's data files: in the folder $PARATAXIS_DATA, else fetched once from the official address."""

import contextlib
import gzip
import hashlib
import os
import tempfile
from functools import cache
from pathlib import Path

from parataxis.claims import DataFile, Paper
from parataxis.errors import BadInput
from parataxis.files import write_atomic

FOLDER = "PARATAXIS_DATA"


def find(paper: Paper, file: str) -> Path:
    """The path of a file that paper.toml declares, checked.

    Taken from `$PARATAXIS_DATA/<paper>/<file>` if it is there, else from the cache, else fetched into the cache.
    BadInput if it is none of these or is not the declared file.
    """
    declared = {each.file: each for each in paper.data}
    if file not in declared:
        raise BadInput(f"{paper.name}: data file {file!r} is not in paper.toml; there: {', '.join(declared) or 'none'}")
    entry = declared[file]
    folder = os.environ.get(FOLDER)
    if folder and (path := Path(folder, paper.name, file)).exists():
        allowed = (entry.sha256, *entry.parts)
        if entry.sha256 and digest(path, entry.packed) not in allowed:
            raise BadInput(
                f"{path}: sha256={digest(path, entry.packed)}: expected {' or '.join(filter(None, allowed))}; "
                f"put the file of paper.toml there, or take this one away to have it fetched"
            )
        return path
    return _cached(paper, entry)


def digest(path: Path, packed: str = "") -> str:
    """The sha256 of a file, of what is inside if it is packed. Read once a process, and again if the file changes."""
    state = path.stat()
    return _digest(path, packed, state.st_mtime_ns, state.st_size)


@cache
def _digest(path: Path, packed: str, mtime: int, size: int) -> str:
    with gzip.open(path) if packed else open(path, "rb") as stream:
        try:
            return hashlib.file_digest(stream, "sha256").hexdigest()
        except (gzip.BadGzipFile, EOFError) as error:
            raise BadInput(f"{path}: is not a whole gzip file: {error}; put the file of paper.toml there") from None


def _cached(paper: Paper, entry: DataFile) -> Path:
    import platformdirs

    folder = platformdirs.user_cache_path("parataxis") / paper.name
    path = folder / entry.file
    with contextlib.suppress(BadInput, FileNotFoundError):  # damaged or not there: fetched
        if digest(path, entry.packed) == entry.sha256:
            return path
    if not entry.url:
        raise BadInput(f"{_missing(paper, entry)}; it can't be fetched: it has no public address")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as work:
        data = _fetch(paper, entry, Path(work)).read_bytes()
    return write_atomic(path, gzip.compress(data, mtime=0) if entry.packed else data)


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
    place = Path(os.environ.get(FOLDER) or f"${FOLDER}", paper.name, entry.file)
    packed = " (gzip-compressed)" if entry.packed else ""
    return f"{paper.name}: {entry.file} is missing; put it at {place}{packed}"

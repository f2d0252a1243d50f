"""The file of rows with which an interrupted command goes on: opened, read and refused in the user's words."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from parataxis.errors import BadInput
from parataxis.files import JsonLines, locked


def writable(path: Path) -> None:
    """BadInput if it is plain beforehand that a file can't be made there: a model takes seconds to load."""
    if path.is_dir():
        raise BadInput(f"out={str(path)!r}: is a folder; name a file")
    there = next(each for each in path.absolute().parents if each.exists())
    if not there.is_dir():
        raise BadInput(f"out={str(path)!r}: {there} is not a folder; name another place")
    if not os.access(path if path.exists() else there, os.W_OK):
        raise BadInput(f"out={str(path)!r}: can't be written; name another place")
    if path.exists():
        _held(path).close()


def _held(path: Path) -> IO[bytes]:
    """The file, so that no other process can use it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return locked(path)
    except BlockingIOError:
        raise BadInput(f"out={str(path)!r}: another command is writing there; wait, or name another place") from None
    except OSError as error:
        raise BadInput(f"out={str(path)!r}: can't be written: {error.strerror}; name another place") from None


@contextmanager
def log(path: Path) -> Iterator[tuple[JsonLines, list[dict[str, Any]]]]:
    """The log, and the rows that it holds already; nobody else can write it meanwhile.

    Raises BadInput if it can't be written, is being written, or is no log of rows.
    """
    with _held(path), JsonLines(path) as opened:
        try:
            rows = list(opened)
        except ValueError as error:
            raise BadInput(f"{path}: holds a line that is not JSON ({error}); move it away to begin anew") from None
        yield opened, rows

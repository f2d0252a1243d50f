"""Files that are either whole or absent, and logs that survive a kill in the middle of a line."""

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from parataxis.errors import BadInput


def write_atomic(path: Path | str, content: str | bytes) -> Path:
    """Write `content` to `path` so that a reader, or a kill -9, never meets half a file.

    Raises BadInput where that can't be: for most that write, the place is the user's choice.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(temporary, "xb") as stream:
                stream.write(content.encode() if isinstance(content, str) else content)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise BadInput(f"{path}: can't be written ({error.strerror}); name another place") from None
    return path


def try_folder(folder: Path) -> None:
    """Make the folder. Raises BadInput where it can't hold a file: to be said before the work, not after it."""
    trial = folder / f".{secrets.token_hex(8)}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        trial.touch()
        trial.unlink()
    except OSError as error:
        raise BadInput(f"{folder}: can't be written ({error.strerror}); name another place") from None


def locked(path: Path | str) -> IO[bytes]:
    """The file, made if need be, as long as it is open this process's alone; BlockingIOError if it is another's."""
    stream = open(path, "ab")  # noqa: SIM115  (whoever asked holds it)
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        stream.close()
        raise
    return stream


class JsonLines:
    """An append-only log of JSON objects, one a line: what was appended is on disk before the next begins.

    A kill can cut the last line short. Opening the log again drops that stump, so that the log always holds whole
    objects and appending goes on after the last whole one.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._drop_stump()
        self._stream = open(self.path, "ab")  # noqa: SIM115  (kept open for the log's whole life)

    def _drop_stump(self) -> None:
        if not self.path.exists():
            return
        data = self.path.read_bytes()
        end = data.rfind(b"\n") + 1
        if end < len(data):
            with open(self.path, "r+b") as stream:
                stream.truncate(end)

    def append(self, row: dict[str, Any]) -> None:
        self._stream.write(json.dumps(row, separators=(",", ":"), allow_nan=False).encode() + b"\n")
        self._stream.flush()
        os.fsync(self._stream.fileno())

    def clear(self) -> None:
        """Drop all of it."""
        self._stream.truncate(0)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return read_json_lines(self.path)

    def close(self) -> None:
        self._stream.close()

    def __enter__(self) -> "JsonLines":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_json_lines(path: Path | str) -> Iterator[dict[str, Any]]:
    """The whole objects of a log, in order; a stump at its end is passed over."""
    with open(path, "rb") as stream:
        for line in stream:
            if line.endswith(b"\n") and line.strip():
                yield json.loads(line)

"""How a test failed: what its exceptions speak of, where, and whether that cut it short."""

from __future__ import annotations

import ast
import errno
import functools
from typing import Any

EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
STILL_HELD = (MemoryError, ResourceWarning, BufferError)  # the last: a view of it has not been released
UNREACHABLE = (errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ECONNREFUSED)
LIBRARIES = ("socket.", "http.", "urllib.", "ssl.", "requests.", "urllib3.", "httpx.", "aiohttp.", "ftplib.")
SQLITE = ("BUSY", "LOCKED", "IOERR", "FULL", "CANTOPEN", "READONLY", "CORRUPT", "NOTADB")


def told(error: BaseException | None, own: Any, sites: dict[str, Any]) -> dict[str, Any]:
    """chain: the exceptions' names and families; sites: the lines of the suite's own code, the innermost last, which is
    also `site`; last: nothing of its functions was left to be done but assertions."""
    chain: list[list[str]] = []
    lines, last, frames = [], True, error.__traceback__ if error is not None else None
    while frames is not None:
        code = frames.tb_frame.f_code
        path = own.path(code.co_filename)
        if path is not None:
            lines.append("%s:%d" % (path, frames.tb_lineno))
            last = last and _is_last(code, frames.tb_lineno)
        frames = frames.tb_next
    while error is not None and len(chain) < 10:
        chain.append([type(error).__name__, _family(error, sites)])
        error = error.__cause__ or error.__context__
    return {"chain": chain, "site": lines[-1] if lines else None, "sites": lines[-10:], "last": last}


def _family(error: BaseException, sites: dict[str, Any]) -> str:
    """What an exception speaks of: leak, network, file, time-out; else nothing.

    That the other end is gone may be said of a connection and of a pipe: of a pipe, if there was no connection.
    """
    number = getattr(error, "errno", None)
    if number in EXHAUSTED or isinstance(error, STILL_HELD) or _is_empty(error):
        return "leak"
    names = {"%s.%s" % (kind.__module__.partition(".")[0], kind.__name__) for kind in type(error).__mro__}
    if number in UNREACHABLE or any(name.startswith(LIBRARIES) for name in names):
        return "network"
    if isinstance(error, TimeoutError) or "TimeoutError" in type(error).__name__:
        return "timeout"
    if isinstance(error, ConnectionError) and "network" in sites:
        return "network"
    if isinstance(error, OSError):
        return "file" if error.filename is not None or (number and "network" not in sites) else ""
    if getattr(error, "sqlite_errorname", "").startswith(tuple("SQLITE_" + name for name in SQLITE)):
        return "file"
    cut = isinstance(error, (UnicodeDecodeError, EOFError)) and "network" not in sites
    return "file" if cut and ("read" in sites or "pipe" in sites) else ""


def _is_empty(error: BaseException) -> bool:
    """A list, deque or set from which one is taken holds none: Python says it in these words."""
    return isinstance(error, (IndexError, KeyError)) and str(*error.args[:1]).startswith("pop from ")


@functools.lru_cache(maxsize=None)
def _parsed(file: str) -> Any:
    with open(file, "rb") as stream:
        return ast.parse(stream.read())


def _is_last(code: Any, line: int) -> bool:
    """Whether the line is in the last statement of its function, or in one of the assertions that it ends with."""
    try:
        tree = _parsed(code.co_filename)
    except (OSError, SyntaxError, ValueError):
        return False
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == code.co_name:
            first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
            if first == code.co_firstlineno:
                return _in_last(node.body, line)
    return False


def _in_last(body: list[Any], line: int) -> bool:
    while isinstance(body[-1], (ast.With, ast.AsyncWith)):
        body = body[-1].body
    place = len(body) - 1
    while place > 0 and isinstance(body[place], ast.Assert) and isinstance(body[place - 1], ast.Assert):
        place -= 1
    return bool(body[place].lineno <= line <= (body[-1].end_lineno or line))

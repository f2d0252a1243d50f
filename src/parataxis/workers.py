"""Work in processes of their own, which end with the one that started them, however that ends."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

PARENT = 1.0  # seconds between two looks whether it lives


def spread(calls: Iterable[Any], jobs: int, begin: Callable[[], None] | None = None) -> Iterator[Any]:
    """What joblib's delayed calls give, `jobs` at a time, each as soon as it is there.

    In processes even where this one is itself joblib's worker, in which it would take threads: of those, nobody can
    tell whose CPU seconds are whose. begin: called in each before anything else.
    """
    from joblib import Parallel

    own = {"initializer": _begun, "initargs": (os.getpid(), begin)}
    yield from Parallel(n_jobs=jobs, backend="loky", return_as="generator_unordered", **own)(calls)


def _begun(parent: int, begin: Callable[[], None] | None) -> None:
    signal.signal(signal.SIGINT, lambda *_: None)  # it is the parent's; unlike a mask, a handler is not handed down
    end_with(parent)
    if begin:
        begin()


def end_with(parent: int) -> None:
    """Watch for the end of the process that started this one, killed or not, and end then.

    Nobody waits any more for what is done here, and whoever goes on with it would write beside it.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()

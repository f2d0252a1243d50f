"""Work in processes of their own, which end with the one that started them, however that ends."""

import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any

PARENT = 1.0  # seconds between two looks whether it lives


def spread(calls: Iterable[Any], jobs: int, begin: Callable[[], None] | None = None) -> Iterator[Any]:
    """What joblib's delayed calls give, `jobs` at a time, each as soon as it is there; one after the other here if 1.

    In processes even where this one is itself joblib's worker, in which it would take threads: of those, nobody can
    tell whose CPU seconds are whose. They are no workers that joblib keeps for whoever asks next: a worker that has
    such workers does not end until these have waited in vain for five minutes. begin: called in each before all else.
    """
    from joblib.externals.loky import ProcessPoolExecutor, as_completed

    if jobs == 1:
        yield from (function(*args, **options) for function, args, options in calls)
        return
    warnings.filterwarnings("ignore", "A worker stopped")  # one that has grown by 300 MB: another takes its place
    pool = ProcessPoolExecutor(jobs, initializer=_begun, initargs=(os.getpid(), begin))
    try:
        for done in as_completed([pool.submit(function, *args, **options) for function, args, options in calls]):
            yield done.result()
    finally:
        pool.shutdown(kill_workers=True)


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

"""More than one machine: functions that live on the workers of an existing Ray or Dask cluster.

joblib has a backend for either. But with Ray a worker that dies ends the whole call, and with Dask a task that kills
its worker each time is waited for without end. So a task here asks an actor, and when the actor's worker dies, that
task alone is begun again, with another.
"""

import hashlib
import logging
import os
import pickle
import signal
import socket
import sys
import threading
import time
import weakref
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

from parataxis.errors import BadInput, one_line

ADDRESSES = {"ray": "RAY_ADDRESS", "dask": "DASK_SCHEDULER_ADDRESS"}
LIBRARIES = {"ray": "ray", "dask": "dask.distributed"}
STARTS = {"ray": "ray start --head", "dask": "dask scheduler"}
TRIES = 3  # workers that may die over one task
REACH = 10.0  # seconds in which the cluster must answer
BACK = 60.0  # seconds in which a worker that died may be back: on a busy machine, one that starts takes its time
POLL = 0.5  # seconds between two looks whether the answer is waited for any longer
PACKAGE = Path(__file__).parent
T = TypeVar("T")


class Lost(Exception):
    """The worker died."""


class Refused(BadInput, BrokenExecutor):
    """What was asked of a worker can't be had there; the message is one line."""


LOST = f"its worker died {TRIES} times: a crash, or out of memory"


@cache
def code() -> str:
    """A hash of this package as it was when first asked for: a worker that lives on keeps what it has imported."""
    known = hashlib.sha256()
    for path in sorted(path for pattern in ("*.py", "*.toml") for path in PACKAGE.rglob(pattern)):
        known.update(f"{path.relative_to(PACKAGE)}\0".encode() + path.read_bytes())
    return known.hexdigest()


def forget(folder: Path) -> None:
    """Import anew what lies below the folder: it may have been changed since this worker last did."""
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and Path(file).is_relative_to(folder):
            del sys.modules[name]


class _Host:
    """The actor: on a worker, the function make(*args), made when it is first asked."""

    def __init__(self, make: Callable[..., Callable[..., Any]], args: tuple[Any, ...], code: str) -> None:
        self.make, self.args, self.code = make, args, code
        self.function: Callable[..., Any] | None = None

    def ask(self, *given: Any) -> bytes:
        """Pickled, (True, what the function gives) or (False, why it gives nothing).

        Nothing is raised here, so that whatever is raised is the cluster's own trouble; and an answer that can't be
        pickled is told, not left to the cluster (Dask's caller waits without end).
        """
        try:
            if self.function is None:
                if self.code != code():
                    raise BadInput(f"{socket.gethostname()}: has another Parataxis; install this one, restart workers")
                self.function = self.make(*self.args)
            return pickle.dumps((True, self.function(*given)))
        except Exception as error:
            return pickle.dumps((False, one_line(error)))


class Cluster(ABC):
    """A connection to a cluster, for as long as `connected` lasts."""

    def __init__(self) -> None:
        self.closing = False
        self._waiting = 0
        self._threads: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()

    @abstractmethod
    def _begin(self, *args: Any) -> Callable[..., Callable[[float], bytes]]:
        """Start _Host(*args) on a worker. What is given back asks it, and gives a function that waits for the answer
        so many seconds; that raises TimeoutError, or Lost.
        """

    def start(self, make: Callable[..., Callable[..., Any]], *args: Any) -> Callable[..., Any]:
        """The function make(*args) on a worker of its own, as long as it is kept here.

        Calling it raises Lost if the worker dies, and Refused if the function raises.
        """
        self._check()
        begun = self._begin(make, args, code())

        def ask(*given: Any) -> Any:
            self._check()
            good, answer = pickle.loads(self._wait(begun(*given)))
            if not good:
                raise Refused(answer)
            return answer

        return ask

    def pool(self, jobs: int, make: Callable[..., Callable[..., Any]], *args: Any) -> Callable[..., Future[Any]]:
        """What is given back has make(*args) called by one of `jobs` workers, by another if that dies, TRIES in all."""
        own = threading.local()

        def call(*given: Any) -> Any:
            for _ in range(TRIES):
                try:
                    own.ask = getattr(own, "ask", None) or self.start(make, *args)
                    return own.ask(*given)
                except Lost:
                    own.ask = None
            raise Refused(LOST)

        self._threads = threads = ThreadPoolExecutor(jobs)
        return lambda *given: threads.submit(call, *given)

    def _wait(self, answer: Callable[[float], T]) -> T:
        """In short steps: a thread that waits inside a library can't be told that nobody waits for it any more."""
        with self._lock:
            self._waiting += 1
        try:
            while True:
                self._check()
                with suppress(TimeoutError):
                    return answer(POLL)
        finally:
            with self._lock:
                self._waiting -= 1

    def _check(self) -> None:
        if self.closing:
            raise KeyboardInterrupt  # no failure of the task

    def close(self) -> None:
        """Let no thread be left that asks for something."""
        self.closing = True
        if self._threads:
            self._threads.shutdown(wait=False, cancel_futures=True)
        deadline = time.monotonic() + REACH
        while self._waiting and time.monotonic() < deadline:
            time.sleep(0.01)


class _Ray(Cluster):
    def _begin(self, *args: Any) -> Callable[..., Callable[[float], bytes]]:
        import ray

        actor: Any = ray.remote(num_cpus=1, max_restarts=0, max_task_retries=0)(_Host).remote(*args)

        def ask(*given: Any) -> Callable[[float], bytes]:
            asked = actor.ask.remote(*given)

            def answer(seconds: float) -> bytes:
                try:
                    return ray.get(asked, timeout=seconds)
                except ray.exceptions.RayActorError as error:
                    raise Lost from error

            return answer

        return ask


class _Dask(Cluster):
    """Each actor has a thread of a worker to itself where there are enough, which Ray sees to without being asked:
    else a task that kills its worker takes along another, which would be taken for a killer too.
    """

    def __init__(self, client: Any) -> None:
        super().__init__()
        self.client = client
        self._actors: Counter[str] = Counter()  # by the address of their worker
        self._died: dict[str, float] = {}  # when, of those of whose end the scheduler may not have heard yet
        self._most = 0  # threads that the cluster had
        self._placing = threading.RLock()  # the collector may let an actor go within it

    def _begin(self, *args: Any) -> Callable[..., Callable[[float], bytes]]:
        worker = self._place()
        made = self.client.submit(_Host, *args, actor=True, pure=False, workers=worker, allow_other_workers=True)

        def ask(*given: Any) -> Callable[[float], bytes]:
            asked = told(lambda: self._wait(lambda seconds: made.result(timeout=seconds)).ask(*given))
            return lambda seconds: told(lambda: asked.result(timeout=seconds))

        def told(answer: Callable[[], T]) -> T:
            try:
                return self._told(answer)
            except Lost:
                self._died[worker] = time.monotonic()
                left()
                raise

        left = weakref.finalize(ask, self._leave, worker)
        return ask

    def _place(self) -> str:
        """The worker with most room. None has any while one that died is not back: it is waited for, once."""
        deadline = time.monotonic() + BACK
        while True:
            self._check()
            now, listed = time.monotonic(), self._told(self.client.nthreads)
            for worker in self._died.keys() - listed.keys():  # who comes back there is another
                self._died.pop(worker, None)
            threads = {worker: count for worker, count in listed.items() if now - self._died.get(worker, -BACK) >= BACK}
            with self._placing:
                there = sum(threads.values())
                self._most = there if now > deadline else max(self._most, there)
                room = {worker: count - self._actors[worker] for worker, count in threads.items()}
                if room and (max(room.values()) > 0 or there == self._most):
                    worker = max(room, key=lambda each: room[each])
                    self._actors[worker] += 1
                    return worker
            if now > deadline:
                raise Lost
            time.sleep(POLL / 10)

    def _leave(self, worker: str) -> None:
        with self._placing:
            self._actors[worker] -= 1

    def _told(self, answer: Callable[[], T]) -> T:
        from distributed.scheduler import KilledWorker

        try:
            return answer()
        except TimeoutError:
            if self.client.status == "closed":
                raise Refused("the scheduler is gone") from None
            raise
        except (OSError, RuntimeError, CancelledError, KilledWorker) as error:  # by what was under way
            raise Lost from error
        except Exception as error:  # the worker can't even make a _Host, as it has no Parataxis
            raise Refused(f"on a worker: {one_line(error)}") from None


@contextmanager
def connected(backend: str) -> Iterator[Cluster]:
    """The "ray" or "dask" cluster that RAY_ADDRESS or DASK_SCHEDULER_ADDRESS names.

    Raises BadInput where the library is not installed, or no cluster answers.
    """
    library, variable = LIBRARIES[backend], ADDRESSES[backend]
    try:
        import_module(library)
    except ModuleNotFoundError as error:
        remedy = f"pip install 'parataxis[{backend}]'"
        raise BadInput(f"--backend={backend}: needs {error.name}, which is not installed; {remedy}") from None
    address = os.environ.get(variable, "")
    if not address:
        raise BadInput(f"--backend={backend}: {variable} is not set; `{STARTS[backend]}` starts a cluster and says it")
    with ExitStack() as open_:
        in_main = threading.current_thread() is threading.main_thread()
        if in_main:
            open_.callback(signal.signal, signal.SIGINT, signal.getsignal(signal.SIGINT))
        try:
            cluster = (_to_ray if backend == "ray" else _to_dask)(address, open_)
        except (OSError, ValueError, RuntimeError) as error:
            said = " ".join(str(error).split())
            raise BadInput(f"{variable}={address}: no {backend.title()} cluster answers there: {said}") from None
        open_.callback(cluster.close)
        if in_main:  # a second Ctrl-C would break into the end, and leave threads that wait for ever
            open_.callback(signal.signal, signal.SIGINT, signal.SIG_IGN)
        yield cluster


def _to_ray(address: str, open_: ExitStack) -> Cluster:
    import ray

    host, _, port = address.removeprefix("ray://").rpartition(":")
    if port.isdecimal():  # Ray itself tries an address for more than half a minute, and says so in many lines
        socket.create_connection((host, int(port)), REACH).close()
    open_.enter_context(redirect_stdout(sys.stderr))  # Ray's own news of its workers go to what is stdout then
    ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    open_.callback(ray.shutdown)
    if not ray.cluster_resources().get("CPU"):
        raise ConnectionError("it has no worker")
    return _Ray()


def _to_dask(address: str, open_: ExitStack) -> Cluster:
    from dask.distributed import Client

    log = logging.getLogger("distributed")
    open_.callback(log.setLevel, log.level)
    log.setLevel(logging.CRITICAL)  # it tells of every call that is given up in the end
    client = open_.enter_context(Client(address, timeout=REACH))
    try:
        client.wait_for_workers(1, timeout=REACH)
    except TimeoutError:
        raise ConnectionError("it has no worker") from None
    return _Dask(client)

"""Running studies: each method in a process of its own, every result on disk before the next is begun."""

import contextlib
import hashlib
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from multiprocessing import resource_tracker
from pathlib import Path

from parataxis import data
from parataxis.backends import on
from parataxis.claims import Claim, Figure, Measurement, Paper, Table
from parataxis.errors import BadInput
from parataxis.studies.context import Context
from parataxis.studies.registry import Method, load_study
from parataxis.studies.store import Run, Store

PARENT = 1.0  # seconds between two looks whether it lives
BACKENDS = ("loky", "threading", "ray", "dask")
PACKAGE = Path(__file__).parent.parent
SHARED = (
    "*.py",
    "audit/**/*",
    "data/**/*",
    "lm/**/*",
    "nn/**/*",
    "studies/context.py",
)  # beside the method's own folder

Found = Measurement | Figure | Table


@dataclass(frozen=True)
class Task:
    """One method to be measured; picklable, so that it can be sent to a worker."""

    method: Method
    scale: str
    seed: int
    store: Path
    jobs: int = 1
    fresh: bool = False


def code_hash(method: Method) -> str:
    """A hash of the files that the method's numbers may come from, so that stored ones are not taken for others."""
    files = {*method.folder.rglob("*.py"), method.folder / "paper.toml"}
    files |= {path for shared in SHARED for path in PACKAGE.glob(shared) if path.is_file() and path.suffix != ".pyc"}
    known = hashlib.sha256()
    for path in sorted(files):
        known.update(f"{path.name}\0".encode() + path.read_bytes())
    return known.hexdigest()[:16]


def measure(task: Task, told: Callable[[Found], None] | None = None) -> int:
    """Run one study to its end, or go on with it; the id of the run in the store.

    An error is kept in the run, not raised. told: called with each new result once it is on disk.
    """
    paper = task.method.paper
    with Store(task.store) as store:
        run, barred = store.begin(paper.name, task.scale, task.seed, code_hash(task.method), task.fresh), _barred(task)
        if _whole(run, paper, barred):
            return run.id
        work = task.store.with_name(task.store.name + ".work") / str(run.id)
        work.mkdir(parents=True, exist_ok=True)
        ctx = Context(
            paper,
            task.scale,
            task.seed,
            work,
            jobs=task.jobs,
            kept=frozenset(row.measurement.id for row in run.rows) | barred,
            tell=lambda text: store.tell(run.id, text),
        )
        try:
            _keep(load_study(task.method).study(ctx), ctx, store, run, told)
        except Exception as error:  # whatever a study raises is its own failure and stops no other
            store.fail(run.id, _line(error))
            return run.id
        store.finish(run.id)
        shutil.rmtree(work, ignore_errors=True)
        with contextlib.suppress(OSError):  # another run's work is still there
            work.parent.rmdir()
    return run.id


def _barred(task: Task) -> frozenset[str]:
    """The claims that can't be measured here, as a file that they need is not here and has no public address."""
    if task.scale == "toy":  # which reads none
        return frozenset()
    paper = task.method.paper
    return frozenset(each.id for each in paper.claims if any(data.lacks(paper, file) for file in each.needs))


def _whole(run: Run, paper: Paper, barred: frozenset[str]) -> bool:
    """Finished, and nothing that it lacks can be measured now."""
    return bool(run.finished) and {row.measurement.id for row in run.rows} | barred >= set(paper.ids)


def _keep(study: Iterator[Found], ctx: Context, store: Store, run: Run, told: Callable[[Found], None] | None) -> None:
    """Store what the study yields, one by one, and see that it yields what it owes, once."""
    seen: set[str] = set()
    begun = time.perf_counter()
    for found in study:
        spent, version = time.perf_counter() - begun, 0
        if isinstance(found, Measurement):
            assert found.id in ctx.paper.ids, f"study yields {found.id!r}, which paper.toml does not declare"
            assert found.id not in seen, f"study yields {found.id!r} twice"
            seen.add(found.id)
            stated = ctx.paper.find(found.id)
            version, unit = (stated.version, stated.unit) if isinstance(stated, Claim) else (0, "")
            found = replace(found, seconds=found.seconds or spent, unit=found.unit or unit)
        if store.add(run.id, found, version, ctx.used) and told:
            told(found)
        begun = time.perf_counter()
    missing = [each for each in ctx.paper.ids if each not in seen and not ctx.done(each)]
    assert not missing, f"study ends without {', '.join(missing)}, which paper.toml declares"


def _line(error: Exception) -> str:
    text = str(error).strip().splitlines()
    if isinstance(error, BadInput):
        return text[0]
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__


def measure_all(
    methods: Sequence[Method],
    scale: str,
    seed: int,
    store: Path,
    *,
    jobs: int = 1,
    backend: str = "loky",
    fresh: bool = False,
) -> list[Run]:
    """Measure methods, `jobs` at a time; the run of each, in the given order. One that fails or dies stops no other.

    The store must lie where all workers of the backend can write.
    """
    inner = max(1, jobs // max(1, min(jobs, len(methods))))
    tasks = [Task(method, scale, seed, Path(store), inner, fresh) for method in methods]
    with Store(store) as opened:  # one that can't be used is told before anything is started
        kept = {task: run for task in tasks if not fresh and (run := _finished(task, opened))}
        left = [task for task in tasks if task not in kept]
        if left:
            with on(backend):
                kept |= zip(left, _spread(left, jobs, backend), strict=True)
        return [opened.run(kept[task]) for task in tasks]


def _finished(task: Task, store: Store) -> int | None:
    paper = task.method.paper
    found = store.finished(paper.name, task.scale, task.seed, code_hash(task.method))
    return found if found and _whole(store.run(found), paper, _barred(task)) else None


def _spread(tasks: Sequence[Task], jobs: int, backend: str) -> list[int]:
    from joblib import Parallel, delayed
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    if jobs == 1 and len(tasks) > 1:
        return [run for task in tasks for run in _spread([task], 1, backend)]
    try:
        # n_jobs=1 would run in this process, which a crash of the method would take along
        own = {"initializer": _end_with, "initargs": (os.getpid(),)} if backend == "loky" else {}
        with Parallel(n_jobs=max(2, jobs), **own) as parallel:
            with _deaf_children():
                parallel([delayed(int)()])  # starts the workers
            work = _measure_deaf if backend == "loky" else measure
            found: list[int] = parallel(delayed(work)(task) for task in tasks)
            return found
    except TerminatedWorkerError:
        if len(tasks) > 1:  # a dead worker takes its neighbours along: find it, one by one; the finished ones are kept
            return _spread([replace(task, fresh=False) for task in tasks], 1, backend)
    return [_died(tasks[0])]


@contextlib.contextmanager
def _deaf_children() -> Iterator[None]:
    """Processes started in this block do not hear Ctrl-C. This one, which started them, does and ends them."""
    resource_tracker.ensure_running()  # if it were started in this block, it would let the signal through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _measure_deaf(task: Task) -> int:
    """`measure` in a worker of its own: still deaf to Ctrl-C, but the programs that a study starts hear it."""
    signal.signal(signal.SIGINT, lambda *_: None)  # unlike a mask, a handler is not handed down
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    return measure(task)


def _end_with(parent: int) -> None:
    """Watch for the end of the process that started this one, killed or not, and end then.

    Nobody waits any more for what is measured here, and the next run of the same study would write beside it.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _died(task: Task) -> int:
    with Store(task.store) as store:
        run = store.begin(task.method.name, task.scale, task.seed, code_hash(task.method))
        store.fail(run.id, "its process died: a crash, or out of memory")
    return run.id

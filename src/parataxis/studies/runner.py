"""Running studies: each method in a process of its own, every result on disk before the next is begun."""

import contextlib
import hashlib
import os
import shutil
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import resource_tracker
from pathlib import Path

from parataxis import data
from parataxis.backends import ADDRESSES, connected
from parataxis.claims import Paper
from parataxis.errors import one_line
from parataxis.studies.context import Context
from parataxis.studies.registry import Method
from parataxis.studies.results import Found, Results, afar, results
from parataxis.studies.store import Run, Store
from parataxis.workers import end_with

PACKAGE = Path(__file__).parent.parent
SHARED = (
    "*.py",
    "audit/**/*",
    "data/**/*",
    "lm/**/*",
    "nn/**/*",
    "studies/context.py",
)  # beside the method's own folder


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


def measure(
    task: Task, told: Callable[[Found], None] | None = None, study: Callable[[Method, Context], Results] = results
) -> int:
    """Run one study to its end, or go on with it; the id of the run in the store.

    An error is kept in the run, not raised. told: called with each new result once it is on disk. study: what gives
    the results.
    """
    paper = task.method.paper
    with Store(task.store) as store:
        run, barred = store.begin(paper.name, task.scale, task.seed, code_hash(task.method), task.fresh), _barred(task)
        if _whole(run, paper, barred):
            return run.id
        # Not by number alone: a store that is removed and begun anew has the same numbers, for other runs.
        work = task.store.with_name(task.store.name + ".work") / f"{run.id}-{run.scale}-{run.seed}-{run.code}"
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
            for found, version, used, where in study(task.method, ctx):
                store.measured_on(run.id, where)
                if store.add(run.id, found, version, used) and told:
                    told(found)
        except Exception as error:  # whatever a study raises is its own failure and stops no other
            store.fail(run.id, one_line(error))
            return run.id
        store.finish(run.id)
        shutil.rmtree(work, ignore_errors=True)
        with contextlib.suppress(OSError):  # another run's work is still there
            work.parent.rmdir()
    return run.id


def _barred(task: Task) -> frozenset[str]:
    """The claims that this scale is too small for, or that need a file which is not here and has no public address."""
    if task.scale == "toy":  # which measures all, and reads none
        return frozenset()
    paper = task.method.paper
    small = {each.id for each in paper.claims if not each.measured_at(task.scale)}
    return frozenset(small | {each.id for each in paper.claims if any(data.lacks(paper, file) for file in each.needs)})


def _whole(run: Run, paper: Paper, barred: frozenset[str]) -> bool:
    """Finished, and nothing that it lacks can be measured now."""
    return bool(run.finished) and {row.measurement.id for row in run.rows} | barred >= set(paper.ids)


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

    backend: "loky", "threading", "ray" or "dask". The workers of a cluster, each of which is one core, read the data
    and the code where they are; the store is written to here alone.
    """
    inner = 1 if backend in ADDRESSES else max(1, jobs // max(1, min(jobs, len(methods))))
    tasks = [Task(method, scale, seed, Path(store).absolute(), inner, fresh) for method in methods]
    with Store(store) as opened:  # one that can't be used is told before anything is started
        kept = {task: run for task in tasks if not fresh and (run := _finished(task, opened))}
        left = [task for task in tasks if task not in kept]
        if left:
            spread = _spread_afar if backend in ADDRESSES else _spread
            kept |= zip(left, spread(left, jobs, backend), strict=True)
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
        own = {"initializer": end_with, "initargs": (os.getpid(),)} if backend == "loky" else {}
        with Parallel(n_jobs=max(2, jobs), backend=backend, **own) as parallel:
            with _deaf_children():
                parallel([delayed(int)()])  # starts the workers
            work = _measure_deaf if backend == "loky" else measure
            found: list[int] = parallel(delayed(work)(task) for task in tasks)
            return found
    except TerminatedWorkerError:
        if len(tasks) > 1:  # a dead worker takes its neighbours along: find it, one by one; the finished ones are kept
            return _spread([replace(task, fresh=False) for task in tasks], 1, backend)
    return [_died(tasks[0])]


def _spread_afar(tasks: Sequence[Task], jobs: int, backend: str) -> list[int]:
    """A thread a method: it asks a worker of the cluster for one result after the other, and stores them here."""
    from joblib import Parallel, delayed

    with connected(backend) as cluster:
        parallel = Parallel(n_jobs=jobs, backend="threading", batch_size=1)
        found: list[int] = parallel(delayed(measure)(task, study=partial(afar, cluster)) for task in tasks)
        return found


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


def _died(task: Task) -> int:
    with Store(task.store) as store:
        run = store.begin(task.method.name, task.scale, task.seed, code_hash(task.method))
        store.fail(run.id, "its process died: a crash, or out of memory")
    return run.id

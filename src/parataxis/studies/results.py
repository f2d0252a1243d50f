"""What a study gives, one result after the other: in this process, or from a worker of a cluster."""

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from parataxis.backends import LOST, TRIES, Cluster, Lost, Refused
from parataxis.claims import Claim, Figure, Measurement, Table
from parataxis.studies.context import Context, silent
from parataxis.studies.registry import Method, load_study
from parataxis.studies.store import machine

Found = Measurement | Figure | Table
Result = tuple[Found, int, dict[str, str], dict[str, Any]]  # its claim's version, the files read so far, the machine
Results = Iterator[Result]


def results(method: Method, ctx: Context) -> Results:
    """What the study yields, timed; it must yield what it owes, once."""
    ctx.work.mkdir(parents=True, exist_ok=True)
    seen, here = set[str](), machine()
    begun = time.perf_counter()
    for found in load_study(method).study(ctx):
        spent, version = time.perf_counter() - begun, 0
        if isinstance(found, Measurement):
            assert found.id in ctx.paper.ids, f"study yields {found.id!r}, which paper.toml does not declare"
            assert found.id not in seen, f"study yields {found.id!r} twice"
            seen.add(found.id)
            stated = ctx.paper.find(found.id)
            version, unit = (stated.version, stated.unit) if isinstance(stated, Claim) else (0, "")
            found = replace(found, seconds=found.seconds or spent, unit=found.unit or unit)
        yield found, version, dict(ctx.used), here
        begun = time.perf_counter()
    missing = [each for each in ctx.paper.ids if each not in seen and not ctx.done(each)]
    assert not missing, f"study ends without {', '.join(missing)}, which paper.toml declares"


def afar(cluster: Cluster, method: Method, ctx: Context) -> Results:
    """The same from a worker, which goes on to the next result only when this one is stored.

    If the worker dies, another goes on behind what is stored.
    """
    kept = ctx.kept
    for _ in range(TRIES):
        try:
            step = cluster.start(_Steps, method, replace(ctx, kept=kept, tell=silent))
            while (got := step()) is not None:
                yield got
                if isinstance(got[0], Measurement):
                    kept |= {got[0].id}
            return
        except Lost:
            continue
    raise Refused(LOST)


class _Steps:
    """On a worker: the next result at each call, None after the last."""

    def __init__(self, method: Method, ctx: Context) -> None:
        self.results = results(method, ctx)

    def __call__(self) -> Result | None:
        return next(self.results, None)

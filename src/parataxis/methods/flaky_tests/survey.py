"""What is known of a suite once it is collected, before anything is run; and a lab on it, without a hunt."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from parataxis import __version__
from parataxis.methods.flaky_tests.journal import Head
from parataxis.methods.flaky_tests.lab import Lab
from parataxis.methods.flaky_tests.session import PUT_BACK, Collected, Limits, Session
from parataxis.methods.flaky_tests.suite import Suite, check_python, find_suite

FILES = {
    "snapshot": "files are put back after each order, edits made meanwhile included (all is kept in "
    f"{PUT_BACK}); orders run one at a time, and probes from one order share files",
    "none": "files that a test leaves are seen by later orders",
}


@contextmanager
def laboratory(
    paths: Sequence[Path | str],
    options: Sequence[str] = (),
    *,
    python: Path | None = None,
    seed: int = 0,
    timeout: float,
    jobs: int = 1,
) -> Iterator[Lab]:
    """A lab on the suite that `paths` belong to. Raises BadInput."""
    suite = find_suite([Path(path) for path in paths], tuple(options), python)
    check_python(suite)
    with Session(suite, 0, seed=seed, jobs=jobs) as first:  # the lab goes on with it
        with Session(suite, 1, seed=seed) as second:  # both collect at once
            found, other = first.collected(), second.collected()
        asked = {"root": str(suite.root), "arguments": list(suite.arguments), "protocol": "", "level": "", "seed": seed}
        head = head_of(suite, found, other, timeout=timeout, **asked)
        with Lab(replace(suite, parallel=head.parallel), head, Limits(timeout, {}, 0.0), jobs, session=first) as lab:
            yield lab


def head_of(suite: Suite, found: Collected, other: Collected, **asked: Any) -> Head:
    """What two collections found: what the suite seeds itself is alike in both."""
    return Head(
        **asked,
        ids=found.ids,
        declared=found.declared,
        seeded=sorted(set(found.fingerprints) & set(other.fingerprints)),
        forks=found.fork and found.threads == 1,
        isolation=found.isolation,
        because=_because(found) + _told(found, _unsteady(found, other)),
        unsteady=_unsteady(found, other),
        errors=found.errors,
        interpreter=str(suite.python),
        python=found.python,
        pytest=found.pytest,
        parataxis=__version__,
        parallel=found.parallel,
    )


def _unsteady(found: Collected, other: Collected) -> list[int]:
    """The places of tests that another process has under other ids."""
    missing, there = set(other.missing), set(other.ids)
    return [place for place, nodeid in enumerate(found.ids) if nodeid not in there and place not in missing]


def _told(found: Collected, unsteady: list[int]) -> list[str]:
    """Of node ids that don't name one test in every process, an example each."""
    shared = [nodeid for nodeid, count in Counter(found.ids).items() if count > 1]
    told = []
    if unsteady:
        told.append(
            f"node ids that are others in another process ({len(unsteady)}, as {found.ids[unsteady[0]]}): these tests "
            "are known again by file, class, function and place"
        )
    if shared:
        told.append(f"node ids that several tests share ({len(shared)}, as {shared[0]}): these are told apart by place")
    return told


def _because(found: Collected) -> list[str]:
    reasons = []
    if not found.fork:
        reasons.append("this system has no safe fork: each order runs in an interpreter of its own")
    elif found.threads > 1:
        reasons.append(
            f"{found.threads} threads run once the suite is collected, and a process with threads can't be forked "
            "safely: each order runs in an interpreter of its own"
        )
    if found.isolation != "overlay":
        why = "; ".join(f"no {name} can be had ({reason})" for name, reason in found.refused.items())
        reasons.append(f"{why}: " * bool(why) + FILES[found.isolation])
    return reasons

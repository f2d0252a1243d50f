"""The process above the supervisor. It runs nothing of the suite, so that nothing of the suite can break it.

It waits for the supervisor to end or for the hunt to be gone, however either came about (a test that kills its parent,
a kill -9 of the hunt), and then takes down every process below, puts back the project's files if they were not in view
of their own, and removes what was temporary.
"""

from __future__ import annotations

import os
import select

import _parataxis_process as process
import _parataxis_snapshot

GLANCE = 100  # milliseconds between two looks at the supervisor where the system has no pidfd


def guard(commands: int, events: int, folder: str, store: str) -> None:
    """Fork: this process stays as the guardian and does not return; its child, the supervisor, does."""
    process.adopt_orphans()
    guardian = os.getpid()
    supervisor = process.fork()
    if supervisor == 0:
        process.die_with_parent(guardian)
        return
    try:
        os.close(events)  # so that the hunt sees the end of the supervisor
        _wait(supervisor, commands)
        process.kill_descendants(set())
        _parataxis_snapshot.put_back(store)
        _wait(None, commands)  # the hunt may still read the log in the folder
        process.remove_tree(folder)
    finally:
        os._exit(0)


def _wait(supervisor: int | None, commands: int) -> None:
    """Until the hunt has closed its end of the pipe, or before that the supervisor has ended."""
    watch = select.poll()
    watch.register(commands, 0)  # nothing but a hang-up; what is sent is for the supervisor
    fd = None if supervisor is None else process.pidfd(supervisor)
    if fd is not None:
        watch.register(fd, select.POLLIN)
    pause = GLANCE if supervisor is not None and fd is None else None
    while not watch.poll(pause):
        if supervisor is not None and process.has_ended(supervisor):
            return

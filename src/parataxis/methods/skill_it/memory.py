"""Freed memory is kept: a training step frees and asks for the same blocks again and again."""

import ctypes
import sys
from functools import cache

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # of glibc's mallopt
LARGEST = 32 << 20  # bytes; older glibc refuses more


@cache
def keep_freed() -> None:
    """Blocks up to `LARGEST` stay with this process, where its allocator is glibc's.

    As glibc comes, it gives the larger ones back to the system at once, which then hands them out page by page anew: in
    three of four trainings of the study's LEGO model that were measured, a tenth of the time; with this in none.
    """
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(TRIM_THRESHOLD, 2 * LARGEST)
        libc.mallopt(MMAP_THRESHOLD, LARGEST)

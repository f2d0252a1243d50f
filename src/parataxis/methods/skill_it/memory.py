"""Freed memory is kept: a training step frees and asks for the same blocks again and again."""

import ctypes
import sys
from functools import cache

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # of glibc's mallopt
LARGEST = 32 << 20  # bytes; older glibc refuses more


@cache
def keep_freed() -> None:
    """Blocks up to `LARGEST` stay with this process, where its allocator is glibc's.

    As glibc comes, it gives the larger ones back to the system at once, which then hands them out page by page anew: of
    a training of the study's LEGO model, 0.9 of 10 s in the system and as much again in the caches that it empties.
    """
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(TRIM_THRESHOLD, 2 * LARGEST)
        libc.mallopt(MMAP_THRESHOLD, LARGEST)

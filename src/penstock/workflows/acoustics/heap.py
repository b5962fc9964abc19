"""The heap of a worker: what one file has freed is there for the next.

By default the C library gives freed memory back at once, and the kernel fills each page that is asked for
again with zeros: a fifth of the processor time of short files.
"""

from __future__ import annotations

import ctypes

MAPPED, TRIMMED = -3, -1  # M_MMAP_THRESHOLD, M_TRIM_THRESHOLD of glibc's malloc.h
LARGE, KEPT = 32 << 20, 64 << 20  # bytes: above, a block has a mapping of its own; free ones that are kept


def keep_freed() -> None:
    """Keep up to KEPT bytes of freed memory; a C library that has no such choice stays as it is."""
    choose = getattr(ctypes.CDLL(None), "mallopt", None)
    if choose is not None:
        choose(MAPPED, LARGE)
        choose(TRIMMED, KEPT)


def give_back() -> None:
    """Give freed memory back, before other work that needs much of its own."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)

"""How files are told to be the same: by their sizes and times."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

MISSING = "missing"


def fingerprint_of(root: Path, paths: Iterable[str]) -> str:
    """Return the fingerprint that files below `root` have now."""
    return ",".join(mark_of(os.path.join(root, path)) for path in paths)


def mark_of(path: str) -> str:
    """Return size and time of a file, or that there is none."""
    try:
        stat = os.stat(path)
    except OSError:
        return MISSING
    return f"{stat.st_size}:{stat.st_mtime_ns}"

"""What lies already where products will be."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from penstock.runner.digests import digest_at
from penstock.runner.kinds import Odd

Declared = tuple[int, int, str, str]  # stage, unit, name, path
Lying = tuple[int, int, str, str, int, str, int]  # the same, with size, digest and time


def look_at(root: Path, declared: Iterable[Declared]) -> Iterator[Lying]:
    """Yield those products that exist, read as a whole; what cannot be read is none."""
    for one in declared:
        path = os.path.join(root, one[3])
        try:
            mtime_ns = os.stat(path).st_mtime_ns
            size, digest = digest_at(path)
        except (OSError, Odd):
            continue
        yield (*one, size, digest, mtime_ns)

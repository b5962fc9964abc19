"""What a path leads to, whatever it is called: device and inode of files, and of the folders above them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

Identity = tuple[int, int]
"""Device and inode."""


def identities(root: Path, paths: Iterable[str]) -> Iterator[Identity]:
    """Yield the identity of everything at these paths below `root`, of what a link leads to, and of the folders above."""
    folders = set[str]()
    for path in paths:
        place = os.path.join(root, path)
        folders.add(os.path.dirname(place))
        yield from filter(None, (identity_of(place), identity_of(place, os.stat)))
    for folder in {str(above) for f in folders for above in (Path(f), *Path(f).parents)}:
        yield from filter(None, (identity_of(folder), identity_of(folder, os.stat)))


def identity_of(path: str, look: Callable[[str], os.stat_result] = os.lstat) -> Identity | None:
    """Return device and inode of what is at a path; None when there is nothing."""
    try:
        status = look(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def real_folder(path: Path) -> str:
    """Return where a folder really is, with a slash at its end."""
    return os.path.join(os.path.realpath(path), "")

"""What is at names below a folder, seen without following a link: nothing there leads out of it."""

import os
import stat
from typing import Collection, Dict, Iterable, List, NamedTuple, Optional, Tuple

from .digests import digest_file
from .kinds import kind_of


class Found(NamedTuple):
    """What is at a name: a file, with its digest where its size is one of those asked about; or what is in the way, and where."""

    kind: str  # "", "a file", or what is in the way: "a link", "a folder"
    at: str
    size: int = 0
    digest: str = ""


def look_below(folder: str, asked: Iterable[Tuple[str, Collection[int]]]) -> List[Found]:
    """Return what is at each of these names, of which one may be of these sizes."""
    passed: Dict[str, Optional[str]] = {}
    return [look_at_name(folder, name, sizes, passed) for name, sizes in asked]


def look_at_name(folder: str, name: str, sizes: Collection[int], passed: Dict[str, Optional[str]]) -> Found:
    """Return what is at a name; `passed` has the folders that were seen on the way to others."""
    parts = name.split("/")
    for end in range(1, len(parts)):
        above = "/".join(parts[:end])
        if above not in passed:
            passed[above] = kind_at(os.path.join(folder, above))
        if passed[above] != "a folder":
            return Found(passed[above] or "", above)
    path = os.path.join(folder, name)
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return Found("", name)
    if not stat.S_ISREG(status.st_mode):
        return Found(kind_of(status), name)
    digest = digest_file(path)[1] if status.st_size in sizes else ""
    return Found("a file", name, status.st_size, digest)


def kind_at(path: str) -> Optional[str]:
    """Return what is at a path; None: nothing."""
    try:
        return kind_of(os.lstat(path))
    except FileNotFoundError:
        return None

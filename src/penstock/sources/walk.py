"""The walk: folders below a root that match a pattern, down to those with the files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from penstock.sources.found import Problem, ScanState
from penstock.units import Pattern, Segment

OWN_FOLDER = ".penstock"


class Folder(NamedTuple):
    """A folder that may hold files of the pattern. `shown` is its path as the pattern writes it, with a slash."""

    shown: str
    place: str
    texts: tuple[str, ...]
    values: dict[str, Any]


class Leaving(NamedTuple):
    """Yielded after everything below one folder of depth `depth`."""

    depth: int


class Walk:
    """One pass over the folders of `pattern` under `root`; problems go to `state`."""

    def __init__(self, pattern: Pattern, root: Path, state: ScanState) -> None:
        self._state = state
        self._segments = pattern.segments
        self._last = len(pattern.segments) - 1
        self._start = "/" if pattern.absolute else ""
        self._root = "" if pattern.absolute else f"{root}/"

    def __iter__(self) -> Iterator[Folder | Leaving]:
        shown, depth = self._start, 0
        while depth < self._last and (literal := self._segments[depth].literal) is not None:
            shown += f"{literal}/"
            depth += 1
        if os.path.isdir(self._root + shown):
            yield from self._folder(shown, depth, (), {})
        else:
            self._state.missing_roots.append(shown.rstrip("/") or self._root)

    def _folder(
        self, shown: str, depth: int, texts: tuple[str, ...], values: dict[str, Any]
    ) -> Iterator[Folder | Leaving]:
        segment = self._segments[depth]
        if depth == self._last:
            yield Folder(shown, self._root + shown, texts, values)
        elif segment.literal is not None:
            if os.path.isdir(f"{self._root}{shown}{segment.literal}"):
                yield from self._folder(f"{shown}{segment.literal}/", depth + 1, texts, values)
        else:
            yield from self._folders(segment, shown, depth, texts, values)
        yield Leaving(depth)

    def _folders(
        self, segment: Segment, shown: str, depth: int, texts: tuple[str, ...], values: dict[str, Any]
    ) -> Iterator[Folder | Leaving]:
        for entry in entries(self._root + shown, shown, self._state):
            name = entry.name
            found = segment.match(name)
            if found is None or name == OWN_FOLDER or not entry.is_dir():
                continue
            below = texts + found.groups()
            read = readable(shown, name, self._state) and segment.read(below, values)
            if isinstance(read, dict):
                yield from self._folder(f"{shown}{name}/", depth + 1, below, read)
            elif read:
                self._state.problems.append(Problem(shown + name, f"badly named: {read}"))


def names_like(pattern: Pattern, root: Path) -> Iterator[str]:
    """Yield the paths, as the pattern writes them, of what lies there under a name that it may have."""
    match = pattern.segments[-1].match
    for folder in Walk(pattern, root, ScanState(now_s=0.0)):
        if isinstance(folder, Folder):
            yield from (folder.shown + name for name in os.listdir(folder.place) if match(name))


def entries(place: str | int, shown: str, state: ScanState) -> Iterator[os.DirEntry[str]]:
    """List a folder, by path or descriptor; one that cannot be read is a problem and has nothing."""
    try:
        with os.scandir(place) as found:
            yield from found
    except OSError as error:
        state.problems.append(unreadable(shown, error))


def unreadable(shown: str, error: OSError) -> Problem:
    """Make the problem of a folder that cannot be read."""
    return Problem(shown.rstrip("/") or ".", f"cannot be read ({error.strerror}); correct its permissions")


def readable(shown: str, name: str, state: ScanState) -> bool:
    """Return whether `name` is UTF-8; if not, report it."""
    try:
        name.encode()
    except UnicodeEncodeError:
        subject = (shown + name).encode(errors="surrogateescape").decode(errors="backslashreplace")
        state.problems.append(Problem(subject, "its name is not UTF-8; rename it"))
        return False
    return True

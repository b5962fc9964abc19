"""The walk: folders below a root that match a pattern, down to those with the files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from errno import ELOOP, ENOENT
from pathlib import Path
from typing import Any, NamedTuple

from penstock.display import is_utf8, visible
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
        self._state, self._times = state, state.times
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
        segment, times = self._segments[depth], self._times
        if times and not times.is_entered(shown):
            return
        if depth == self._last:
            yield Folder(shown, self._root + shown, texts, values)
        elif segment.literal is not None:
            self._note(shown)
            if os.path.isdir(f"{self._root}{shown}{segment.literal}"):
                yield from self._folder(f"{shown}{segment.literal}/", depth + 1, texts, values)
        else:
            yield from self._folders(segment, shown, depth, texts, values)
        yield Leaving(depth)

    def _note(self, shown: str) -> None:
        """Note the time of a folder before it is looked into."""
        if self._times:
            with suppress(OSError):  # whoever lists it tells
                self._times.note(shown, os.stat(self._root + shown or "."))

    def _folders(
        self, segment: Segment, shown: str, depth: int, texts: tuple[str, ...], values: dict[str, Any]
    ) -> Iterator[Folder | Leaving]:
        for name in self._names(segment, shown):
            found = segment.match(name)
            if found is None:
                continue
            below = texts + found.groups()
            read = readable(shown, name, self._state) and segment.read(below, values)
            if isinstance(read, dict):
                yield from self._folder(f"{shown}{name}/", depth + 1, below, read)
            elif read:
                self._state.problems.append(Problem(shown + name, f"badly named: {read}"))

    def _names(self, segment: Segment, shown: str) -> Iterator[str]:
        """Yield the names of the folders in one that match: those that are there, or lead to where something changed."""
        if self._times and not self._times.is_due(shown):
            yield from sorted(self._times.under[shown])
            return
        self._note(shown)
        for entry in entries(self._root + shown, shown, self._state):
            if segment.match(entry.name) and entry.name != OWN_FOLDER and self._is_folder(entry, shown):
                yield entry.name

    def _is_folder(self, entry: os.DirEntry[str], shown: str) -> bool:
        try:
            return entry.is_dir()
        except OSError as error:  # a link that leads to itself, or a server that does not answer
            note_unreadable(shown + entry.name, error, self._state)
            return False


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
        note_unreadable(shown, error, state)


def note_unreadable(shown: str, error: OSError, state: ScanState) -> None:
    """Note the problem of a folder or file that cannot be read, so that nothing is taken for gone."""
    what, remedy = "cannot be read", "it is tried again"
    if error.errno == ELOOP:
        what, remedy = "is a link that cannot be followed", "fix or remove it"
    elif isinstance(error, PermissionError):
        remedy = "correct its permissions"
    state.problems.append(Problem(shown.rstrip("/") or ".", f"{what} ({error.strerror}); {remedy}"))
    state.failed |= error.errno not in (ELOOP, ENOENT)


def readable(shown: str, name: str, state: ScanState) -> bool:
    """Return whether `name` is UTF-8; if not, report it."""
    if is_utf8(name):
        return True
    state.problems.append(Problem(visible(shown + name), "its name is not UTF-8; rename it"))
    return False

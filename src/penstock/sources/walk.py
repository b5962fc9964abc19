"""The walk: files below a root that have a pattern's shape, folder by folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from penstock.sources.found import Problem, ScanState
from penstock.units import Pattern, Segment, iso

OWN_FOLDER = ".penstock"


class Hit(NamedTuple):
    """A file of the pattern's shape. `path` is as the pattern writes it; None as `file` marks a folder's end."""

    path: str
    name: str
    values: dict[str, Any]
    entry: os.DirEntry[str] | str


class Leaving(NamedTuple):
    """Said after everything below one folder of depth `depth` was given."""

    depth: int


class Walk:
    """One pass over the files of `pattern` under `root`; trouble goes to `state`."""

    def __init__(self, pattern: Pattern, root: Path, state: ScanState) -> None:
        self._state = state
        self._segments = pattern.segments
        self._last = len(pattern.segments) - 1
        self._times = tuple(name for name, kind in pattern.types.items() if kind == "datetime")
        self._start = "/" if pattern.absolute else ""
        self._root = "" if pattern.absolute else f"{root}/"

    def __iter__(self) -> Iterator[Hit | Leaving]:
        shown, depth = self._start, 0
        while depth < self._last and (literal := self._segments[depth].literal) is not None:
            shown += f"{literal}/"
            depth += 1
        if not os.path.isdir(self._root + shown or "."):
            self._state.missing_roots.append(shown.rstrip("/") or self._root)
            return
        yield from self._folder(shown, depth, (), {})

    def _folder(
        self, shown: str, depth: int, texts: tuple[str, ...], values: dict[str, Any]
    ) -> Iterator[Hit | Leaving]:
        segment = self._segments[depth]
        if segment.literal is not None:
            yield from self._literal(segment.literal, shown, depth, texts, values)
        elif depth == self._last:
            yield from self._files(segment, shown, texts, values)
        else:
            yield from self._folders(segment, shown, depth, texts, values)
        yield Leaving(depth)

    def _literal(
        self, name: str, shown: str, depth: int, texts: tuple[str, ...], values: dict[str, Any]
    ) -> Iterator[Hit | Leaving]:
        path = shown + name
        if depth < self._last:
            if os.path.isdir(self._root + path):
                yield from self._folder(f"{path}/", depth + 1, texts, values)
        elif os.path.isfile(self._root + path):
            yield Hit(path, name, dict(values), self._root + path)

    def _folders(
        self, segment: Segment, shown: str, depth: int, texts: tuple[str, ...], values: dict[str, Any]
    ) -> Iterator[Hit | Leaving]:
        for entry in self._list(shown):
            name = entry.name
            found = segment.match(name)
            if found is None or name == OWN_FOLDER or not entry.is_dir() or not self._readable(shown, name):
                continue
            below = texts + found.groups()
            read = segment.read(below, values)
            if isinstance(read, str):
                self._state.problems.append(Problem(shown + name, f"badly named: {read}"))
                continue
            yield from self._folder(f"{shown}{name}/", depth + 1, below, self._plain(read))

    def _files(
        self, segment: Segment, shown: str, texts: tuple[str, ...], values: dict[str, Any]
    ) -> Iterator[Hit]:
        match, read_fields, times = segment.match, segment.read, bool(self._times)
        for entry in self._list(shown):
            name = entry.name
            found = match(name)
            if found is None or not entry.is_file():
                continue
            if not name.isascii() and not self._readable(shown, name):
                continue
            read = read_fields(texts + found.groups(), values)
            if read.__class__ is str:
                self._state.problems.append(Problem(shown + name, f"badly named: {read}"))
                continue
            yield Hit(shown + name, name, self._plain(read) if times else read, entry)

    def _plain(self, values: dict[str, Any]) -> dict[str, Any]:
        for name in self._times:
            value = values.get(name)
            if value is not None and value.__class__ is not str:
                values[name] = iso(value)
        return values

    def _list(self, shown: str) -> Iterator[os.DirEntry[str]]:
        try:
            with os.scandir(self._root + shown or ".") as entries:
                yield from entries
        except OSError as error:
            why = f"cannot be read ({error.strerror}); mend its permissions"
            self._state.problems.append(Problem(shown.rstrip("/") or self._root, why))

    def _readable(self, shown: str, name: str) -> bool:
        try:
            name.encode()
        except UnicodeEncodeError:
            subject = (shown + name).encode(errors="surrogateescape").decode(errors="backslashreplace")
            self._state.problems.append(Problem(subject, "its name is not UTF-8; rename it"))
            return False
        return True

"""What files and folders of ours hold, by digests: what stands for them in a store."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from penstock.runner.digests import digest_file, parts_of
from penstock.runner.kinds import Odd
from penstock.runner.store import tree_manifest
from penstock.transports.protocol import Copy

Seen = Mapping[str, tuple[int, int]]
"""Bytes and time in ns of files, by path."""

PROGRAM, TEXT = 0o755, 0o644


@dataclass(frozen=True, slots=True)
class Blob:
    """What goes into a store: a file of ours, or bytes."""

    digest: str
    size: int
    source: Path | bytes


@dataclass(slots=True)
class Contents:
    """What some paths below `root` hold: a file, or a folder, which is a list of its parts and these.

    `fresh`: what was digested just now, as path, bytes, time in ns, digest. `unreadable`: why others cannot be read.
    """

    root: Path
    blobs: dict[str, list[Blob]] = field(default_factory=dict[str, list[Blob]])
    fresh: list[tuple[str, int, int, str]] = field(default_factory=list[tuple[str, int, int, str]])
    unreadable: dict[str, str] = field(default_factory=dict[str, str])

    def named(self, path: str) -> Any:
        """Return how a runner is told where an input is in the store."""
        first = self.blobs[path][0]
        return first.digest if isinstance(first.source, Path) else {"tree": first.digest}

    def programs(self) -> list[Copy]:
        """Return the files under their own names, those that can be executed with that mode."""
        found = ((path, self.root / path, blobs[0]) for path, blobs in self.blobs.items())
        return [
            Copy(path, file, blob.size, blob.digest, PROGRAM if os.access(file, os.X_OK) else TEXT)
            for path, file, blob in found
        ]

    @contextmanager
    def noting(self, path: str) -> Generator[None]:
        """Note why a path cannot be read."""
        try:
            yield
        except Odd as odd:
            self.unreadable[path] = str(odd)
        except OSError as error:
            self.unreadable[path] = f"cannot be read ({error.strerror})"


def look_at(root: Path, paths: Iterable[str], *, known: Callable[[Seen], Mapping[str, str]]) -> Contents:
    """Return what paths hold; `known` returns the digests of files that it knows by their sizes and times."""
    found, seen = Contents(root), dict[str, tuple[int, int]]()
    for path in paths:
        with found.noting(path):
            status = os.stat(root / path)
            if stat.S_ISDIR(status.st_mode):
                found.blobs[path] = folder_blobs(root / path)
            else:
                seen[path] = status.st_size, status.st_mtime_ns
    digests = dict(known(seen))
    for path in seen.keys() - digests.keys():
        with found.noting(path):
            digests[path] = digest_file(os.path.realpath(root / path))[1]
            found.fresh.append((path, *seen[path], digests[path]))
    found.blobs |= {path: [Blob(digest, seen[path][0], root / path)] for path, digest in digests.items()}
    return found


def folder_blobs(top: Path) -> list[Blob]:
    """Return what stands in a store for a folder."""
    parts = parts_of(str(top))
    text = tree_manifest(parts)
    listed = Blob(hashlib.sha256(text).hexdigest(), len(text), text)
    return [listed, *(Blob(part.digest, part.size, top / part.name) for part in parts if not part.link)]

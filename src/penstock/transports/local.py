"""Files of this machine, written so that a crash leaves the old or the new, never a part."""

from __future__ import annotations

import os
from pathlib import Path


def write_file(path: Path, data: bytes) -> None:
    """Write a whole file: temporary name, fsync, rename, fsync of the folder."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    write_durably(temporary, data, os.O_TRUNC)
    os.replace(temporary, path)
    sync_folder(path.parent)


def append(path: Path, data: bytes) -> None:
    """Add `data` at the end of a file, and make it durable."""
    write_durably(path, data, os.O_APPEND)


def write_durably(path: Path, data: bytes, flag: int) -> None:
    """Open a file for its owner alone, write, and fsync."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | flag, 0o600)
    try:
        write_all(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def private(path: str, flags: int) -> int:
    """Open a file for its owner alone (an `opener` of `open`)."""
    return os.open(path, flags, 0o600)


def write_all(descriptor: int, data: bytes) -> None:
    """Write every byte, however many calls it takes."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def read_from(path: Path, offset: int, most: int = 1 << 20) -> bytes:
    """Return the bytes after `offset`, up to `most`; none when the file is not there or shorter."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return b""
    try:
        return os.pread(descriptor, most, offset)
    except IsADirectoryError:
        return b""
    finally:
        os.close(descriptor)


def read_whole(path: Path) -> bytes | None:
    """Return the bytes of a file; None when there is none, or something else in its place."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return None


def size_of(path: str) -> int:
    """Return how long a file is; 0 when it is not there.

    It is opened first: only that makes a network file system ask its server (close-to-open consistency, nfs(5));
    a mere stat may be answered from a cache for a minute.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return 0
    try:
        return os.fstat(descriptor).st_size
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Make renames in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

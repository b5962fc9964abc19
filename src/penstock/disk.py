"""Files of this machine, written so that a crash leaves the old or the new, never a half."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from penstock.errors import LedgerError, PenstockError
from penstock.runner import files


def write_file(path: Path, data: bytes) -> None:
    """Write a whole file: temporary name, fsync, rename, fsync of the folder."""
    files.write_file(str(path), [data])


def write_public(path: Path, data: bytes) -> None:
    """Replace a file that everybody may read: who reads it sees the old one or the new one; no power loss is provided for.

    Raises PenstockError if it cannot be written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_bytes(data)
        draft.chmod(0o644)
        draft.replace(path)
    except OSError as error:
        with suppress(OSError):
            draft.unlink()
        raise PenstockError(
            f"{path} cannot be written ({error.strerror}): name another place, or make room there"
        ) from error


def append(path: Path, data: bytes) -> None:
    """Add `data` at the end of a file, and make it durable."""
    write_durably(path, data, os.O_APPEND)


def write_durably(path: Path, data: bytes, flag: int) -> None:
    """Open a file for its owner alone, write, and fsync."""
    files.write_durably(str(path), [data], flag)


def private(path: str, flags: int) -> int:
    """Open a file for its owner alone (an `opener` of `open`)."""
    return os.open(path, flags, 0o600)


def read_whole(path: Path) -> bytes | None:
    """Return the bytes of a file; None when there is none, or something else in its place."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return None


def time_of(path: str | Path) -> int | None:
    """Return when a file, or what is in a folder, last changed, in ns; None when it cannot be seen."""
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return None


def server_time(folder: Path, device: int) -> float | None:
    """Return the time of the file server of a folder, by a file that is touched there; None if it is not on `device`."""
    try:
        if folder.stat().st_dev != device:
            return None
        stamp = folder / "now"
        stamp.touch(mode=0o600)
        return stamp.stat().st_mtime
    except OSError:
        return None


def sync_folder(folder: Path) -> None:
    """Make renames in `folder` durable."""
    files.sync_folder(str(folder))


def make_private(folder: Path) -> bool:
    """Make the campaign's own folder, for its owner alone; return whether others could read it until now."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise LedgerError(
            f"{folder} cannot be made ({error.strerror}): penstock needs to write beside the campaign"
        ) from error
    found = folder.stat()
    if found.st_uid != os.geteuid():
        raise LedgerError(
            f"{folder} belongs to another user (uid {found.st_uid}): work in a folder of your own, or ask its owner to run it"
        )
    if found.st_mode & 0o022:
        raise LedgerError(f"{folder} can be written by others: make it private with `chmod 700 {folder}`")
    if found.st_mode & 0o055:
        folder.chmod(0o700)
    return bool(found.st_mode & 0o055)

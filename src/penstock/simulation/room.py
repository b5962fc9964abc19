"""Room for what a look ahead writes: in the folder for temporary files, and where its record is kept."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

from penstock.errors import LedgerError, PenstockError

FULL = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))
UNWRITTEN = frozenset((sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE))


class NoRoom(LedgerError):
    """A folder has no room."""


@contextmanager
def temporary() -> Generator[Path]:
    """Give a folder that is removed afterwards; raises NoRoom where temporary files have none."""
    remedy = "set TMPDIR to a folder on a disk with more room"
    try:
        place = tempfile.gettempdir()
    except FileNotFoundError as error:
        raise NoRoom(f"no folder for temporary files can be written: {remedy}") from error
    with room_in(place, remedy), tempfile.TemporaryDirectory(prefix="penstock-simulation-") as folder:
        yield Path(folder)


@contextmanager
def room_in(place: Path | str, remedy: str) -> Generator[None]:
    """Raise NoRoom with a remedy where something failed because a folder has none."""
    try:
        yield
    except NoRoom:
        raise
    except (OSError, sqlite3.Error, PenstockError) as error:
        if any(is_full(each) for each in causes(error)):
            raise NoRoom(f"{place} has no room for what `simulate` writes: {remedy}") from error
        raise


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and what it came from."""
    while error:
        yield error
        error = error.__cause__ or error.__context__


def is_full(error: BaseException) -> bool:
    """Whether an error says that there is no room for a file."""
    if isinstance(error, OSError):
        return error.errno in FULL
    return getattr(error, "sqlite_errorcode", None) in UNWRITTEN


def keep_folder(folder: Path, keep: Path) -> None:
    """Copy a folder into a new one, whole or not at all.

    Raises LedgerError if it has no room or cannot be written.
    """
    remedy = "name another folder with --keep"
    draft = keep.with_name(f".{keep.name}.{os.getpid()}")
    try:
        with room_in(keep.absolute().parent, remedy):
            draft.mkdir(mode=0o700)
            copy_files(folder, draft / folder.name)
            draft.rename(keep)
    except OSError as error:
        raise LedgerError(f"{keep} cannot be written ({error.strerror}): {remedy}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def copy_files(folder: Path, to: Path) -> None:
    """Copy what is in a folder; the first error ends it, unlike in `shutil.copytree`."""
    to.mkdir(mode=0o700)
    for path in folder.iterdir():
        if path.is_dir():
            copy_files(path, to / path.name)
        else:
            shutil.copy2(path, to / path.name)

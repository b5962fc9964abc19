"""The first bytes of an HDF5 file, which tell whether it is whole and whether somebody has it open.

HDF5 File Format Specification 3.0, section II.A. They are read here since the library only says that it could not
open a file, in words that differ between its versions.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from penstock.workflows.detector.faults import Incomplete, Unreadable, say_time

SIGNATURE = b"\x89HDF\r\n\x1a\n"
MOST_USER_BLOCKS = 12  # places where it may begin: 0, 512, 1024, … 1 MB
WRITING = 0b101  # open for writing, by one or by a writer beside readers (SWMR)


@dataclass(frozen=True, slots=True)
class Superblock:
    """How many bytes a file says that it has, and whether a writer has it open or never closed it."""

    end: int
    writing: bool


def read_superblock(path: Path) -> Superblock | None:
    """Read it; None if the file is not HDF5."""
    with path.open("rb") as file:
        for place in (0, *(512 << i for i in range(MOST_USER_BLOCKS))):
            file.seek(place)
            head = file.read(96)
            if head.startswith(SIGNATURE):
                return _parse(head)
            if len(head) < len(SIGNATURE):
                return None
    return None


def _parse(head: bytes) -> Superblock:
    """Find flags and end-of-file address, by the version of the superblock."""
    version = head[8]
    if version >= 2:
        size, flags, addresses = head[9], head[11], 12
    else:
        size, flags, addresses = head[13], 0, 24 + 4 * version  # these versions have no flag for an open file
    start = addresses + 2 * size  # after the base address and that of an extension, or of free space
    return Superblock(int.from_bytes(head[start : start + size], "little"), bool(flags & WRITING))


def check_whole(path: Path) -> None:
    """Return if an HDF5 file is there, closed and whole. Raises Incomplete or Unreadable.

    A truncated file is Incomplete, since a copy on its way looks the same; `Incomplete.overdue` ends the waiting.
    """
    try:
        state = os.stat(path)
        found = read_superblock(path)
    except FileNotFoundError as error:
        why = f"{path} is not there yet"
        raise Incomplete(why, since=folder_time(path), awaited=(str(path),)) from error
    except OSError as error:
        raise Unreadable(f"{path} cannot be read: {error.strerror}") from error
    if state.st_size == 0:
        raise Incomplete(f"{path} is empty so far", since=state.st_mtime)
    if found is None:
        raise Unreadable(f"{path} is not an HDF5 file; give a pattern that leaves it out")
    if found.writing:
        why = f"{path} is still being written, or was left open since {say_time(state.st_mtime)}"
        raise Incomplete(f"{why} (h5clear -s closes it when no writer lives)", since=state.st_mtime)
    if state.st_size < found.end:
        why = f"{path} is truncated: it has {state.st_size} of {found.end} bytes"
        raise Incomplete(f"{why}; copy it again if no copy is on its way", since=state.st_mtime)


def folder_time(path: Path) -> float:
    """Give when the nearest folder that is there changed last; the file might have come then."""
    for folder in path.absolute().parents:
        if folder.is_dir():
            return folder.stat().st_mtime
    return 0.0

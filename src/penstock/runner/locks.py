"""Folders that a process holds by a lock as long as it lives: what nobody holds was left by one that was killed."""

import errno
import fcntl
import os
from typing import Iterator, List

from .files import lock
from .folders import make_folder

TRIES = 10


def hold_folder(path: str) -> int:
    """Make a folder and lock it until the descriptor that is returned is closed, or this process ends.

    Where the file system has no locks nobody gets one, and nothing is taken for abandoned.
    """
    for _ in range(TRIES):
        make_folder(path, mode=0o700)
        try:
            fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:  # a neighbour found it before it was locked
            continue
        lock(fd, fcntl.LOCK_EX)
        if os.path.exists(path) and os.path.samestat(os.fstat(fd), os.stat(path)):
            return fd
        os.close(fd)
    raise OSError(errno.EAGAIN, "it is removed by others again and again")


def take_abandoned(parent: str) -> Iterator[str]:
    """Yield the folders in a folder that no living process holds; until the next one they are held here."""
    for path in _inside(parent):
        try:
            fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:  # it is gone by now, or nothing of ours
            continue
        try:
            if lock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB):
                yield path
        finally:
            os.close(fd)


def _inside(parent: str) -> List[str]:
    try:
        return [os.path.join(parent, name) for name in os.listdir(parent)]
    except OSError:  # a neighbour found it empty
        return []

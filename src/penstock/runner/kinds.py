"""The kind of file at a path, checked before it is opened: opening a pipe would wait for its other end."""

import os
import stat
from typing import Any, Iterator

from .errors import Missing

KINDS = {
    stat.S_IFREG: "a file",
    stat.S_IFDIR: "a folder",
    stat.S_IFLNK: "a link",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class Odd(Missing):
    """Something that cannot be part of a product; its text follows the product's name."""


def kind_of(status: os.stat_result) -> str:
    """Name the kind of a file.

    >>> kind_of(os.stat("/dev/null"))
    'a device'
    """
    return KINDS.get(stat.S_IFMT(status.st_mode), "neither file nor folder")


def open_file(path: str) -> int:
    """Open a file to read it; what is not a file is neither waited for nor followed."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        os.close(fd)
        raise Odd("is {}, not a file".format(kind_of(status)))
    return fd


def walk_files(top: str) -> Iterator[Any]:
    """Yield the entries of the files and links in a folder; raise Odd when something else is in it."""
    folders = [top]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                elif entry.is_symlink() or entry.is_file(follow_symlinks=False):
                    yield entry
                else:
                    what = kind_of(entry.stat(follow_symlinks=False))
                    inner = os.path.relpath(entry.path, top)
                    raise Odd("holds {}, {}: leave only files, folders and links in it".format(inner, what))


def refuse_stray(top: str, link: str) -> None:
    """Raise Odd when a link in a folder leads somewhere now and would not after the folder is moved."""
    text = os.readlink(link)
    target = os.path.normpath(os.path.join(os.path.dirname(link), text))
    bound = os.path.dirname(top) if os.path.isabs(text) else top
    if _within(bound, target) is os.path.isabs(text) and os.path.exists(link):
        inner = os.path.relpath(link, top)
        raise Odd("holds {}, a link that is broken once the folder has its name ({})".format(inner, text))


def _within(folder: str, path: str) -> bool:
    return path == folder or path.startswith(folder + "/")

"""What files and folders hold, by their digests, and whether that is what somebody says of them."""

import errno
import hashlib
import os
import stat
from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Optional, Tuple

from .files import CHUNK
from .kinds import Odd, open_file, walk_files

Allow = Callable[[str, str], None]  # raises Odd for a link (folder, link) that is not to be kept

EMPTY = hashlib.sha256().hexdigest()


class Part(NamedTuple):
    """A file in a folder, or a link, of which the text of its target counts."""

    name: str
    size: int
    digest: str
    mode: int
    link: str  # where it leads; empty: it is a file


def digest_file(path: str) -> Tuple[int, str]:
    """Return size and SHA-256 of a file."""
    fd = open_file(path)
    try:
        data = os.read(fd, CHUNK)
        if not data:
            return 0, EMPTY
        size, digest = 0, hashlib.sha256()
        while data:
            size += len(data)
            digest.update(data)
            data = os.read(fd, CHUNK)
    finally:
        os.close(fd)
    return size, digest.hexdigest()


def allow_all(folder: str, link: str) -> None:
    """Take every link in a folder as it is."""


def parts_of(folder: str, allow: Allow = allow_all) -> List[Part]:
    """Return all files and links in a folder, in the order of their names; raise Odd when it cannot be kept as it is."""
    found = [_part_of(folder, entry, allow) for entry in walk_files(folder)]
    return sorted(found, key=lambda part: os.fsencode(part.name))


def _part_of(folder: str, entry: Any, allow: Allow) -> Part:
    name, mode = os.path.relpath(entry.path, folder), entry.stat(follow_symlinks=False).st_mode
    if not entry.is_symlink():
        size, digest = digest_file(entry.path)
        return Part(name, size, digest, stat.S_IMODE(mode), "")
    allow(folder, entry.path)
    link = os.readlink(entry.path)
    return Part(name, 0, hashlib.sha256(os.fsencode(link)).hexdigest(), stat.S_IMODE(mode), link)


def digest_folder(path: str, allow: Allow = allow_all) -> Tuple[int, str]:
    """Return the bytes in a folder, and SHA-256 of its sorted lines `relative path NUL sha256 LF`."""
    return digest_parts(parts_of(path, allow))


def digest_parts(parts: Iterable[Part]) -> Tuple[int, str]:
    """Return what `digest_folder` would of a folder with these parts, in the order of their names."""
    total, digest = 0, hashlib.sha256()
    for part in parts:
        total += part.size
        digest.update(os.fsencode(part.name) + b"\0" + part.digest.encode("ascii") + b"\n")
    return total, digest.hexdigest()


def digest_at(path: str) -> Tuple[int, str]:
    """Return size and digest of a file or folder product."""
    return digest_folder(path) if os.path.isdir(path) else digest_file(path)


def walk(folder: str) -> List[Part]:
    """Return all files and links in a folder; what is neither is an OSError with its path."""
    try:
        return parts_of(folder)
    except Odd as odd:
        raise OSError(errno.EINVAL, str(odd), folder) from odd


# whether they are as they should be


def misfit(path: str, size: int) -> Optional[str]:
    """Return what is wrong with a file by its metadata, if anything; a folder's size is not checked."""
    try:
        found = os.lstat(path)
    except OSError as error:
        return "cannot be found ({})".format(error.strerror)
    if stat.S_ISDIR(found.st_mode) or found.st_size == size:
        return None
    return "has {} bytes, not {}".format(found.st_size, size)


def unlike(path: str, digest: str) -> Optional[str]:
    """Make a file or folder durable and return what is wrong with its bytes, if anything."""
    try:
        found = digest_at(path)
        sync_tree(path)
        sync_path(os.path.dirname(path))
    except Odd as odd:
        return str(odd)
    except OSError as error:
        return "cannot be read ({})".format(error.strerror)
    return None if found[1] == digest else "differs from what was made"


def faults_in(files: Iterable[Tuple[str, str, int, Optional[str]]]) -> Dict[str, str]:
    """Return what is wrong with files and folders: name, path, size, and the digest of those whose bytes are looked at."""
    found: Dict[str, str] = {}
    for name, path, size, digest in files:
        why = misfit(path, size) or (unlike(path, digest) if digest else None)
        if why:
            found[name] = why
    return found


def sync_tree(path: str) -> None:
    """Make a file, or a folder with all in it, durable."""
    if os.path.isdir(path):
        for folder, _, files in os.walk(path):
            for name in files:
                inner = os.path.join(folder, name)
                if stat.S_ISREG(os.lstat(inner).st_mode):
                    sync_path(inner)
            sync_path(folder)
    else:
        sync_path(path)


def sync_path(path: str) -> None:
    """Make a file, or the names in a folder, durable."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some network file systems do not sync folders
            raise
    finally:
        os.close(fd)

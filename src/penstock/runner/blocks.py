"""Large files, and many: digested and flushed in the pass that writes them, and continued where they were cut.

What is not whole is a draft that is named by the digest of the whole, so that nothing else is ever continued. Of a draft
whole blocks count: what a crash took from its end is sent again.
"""

import errno
import hashlib
import os
import stat
from typing import IO, Callable, Dict, Iterable, Iterator, NamedTuple, Optional

from .files import CHUNK, make_folders, remove, sync_folder, write_all

BLOCK = 1 << 20


class Wanted(NamedTuple):
    """A file that is to be at a path, and how much of it is there."""

    path: str
    size: int
    digest: str
    mode: int
    offset: int


def draft_of(path: str, digest: str) -> str:
    """Return where the beginning of a file is kept until all of it is there."""
    folder, name = os.path.split(path)
    return os.path.join(folder, ".{}.{}".format(name[:200], digest[:16]))


def held(path: str, size: int, digest: str, mode: int = 0) -> Optional[int]:
    """Return how much of a file is in its draft; None: it is there, and has the bits of its mode."""
    try:
        status = os.stat(path)
        if status.st_size == size and digest_of(path) == digest:
            if mode & ~status.st_mode:
                os.chmod(path, stat.S_IMODE(status.st_mode) | mode)
            return None
    except FileNotFoundError:
        pass
    try:
        return min(os.stat(draft_of(path, digest)).st_size, size) // BLOCK * BLOCK
    except FileNotFoundError:
        return 0


def receive_all(files: Iterable[Wanted], data_of: Callable[[Wanted], Iterable[bytes]]) -> None:
    """Receive files, or what is missing of them, one after the other; their folders are made, and durable in the end."""
    folders: Dict[str, None] = {}
    for file in files:
        folder = os.path.dirname(file.path)
        if folder not in folders:
            make_folders(folder)
            folders[folder] = None
        receive(file.path, file.digest, file.offset, data_of(file), mode=file.mode)
    for folder in folders:
        sync_folder(folder)


def receive(path: str, digest: str, offset: int, data: Iterable[bytes], *, mode: int = 0o600) -> None:
    """Continue the draft of a file from `offset` on, and give it its name when its bytes have the digest."""
    draft = draft_of(path, digest)
    try:
        found = fill(draft, offset, data, mode=mode)
        if found != digest:
            remove(draft)
            raise OSError(errno.EIO, "its bytes have another digest than was told")
        os.replace(draft, path)
    except OSError as error:
        if error.filename in (None, draft):
            error.filename = path
        raise


def fill(draft: str, offset: int, data: Iterable[bytes], *, mode: int) -> str:
    """Write to a draft from `offset` on, and flush it; return the digest of all of it."""
    digest = hashlib.sha256()
    descriptor = open_draft(draft)
    try:
        os.ftruncate(descriptor, offset)
        for piece in pieces_of(descriptor, 0, offset):
            digest.update(piece)
        os.lseek(descriptor, offset, os.SEEK_SET)
        for piece in data:
            digest.update(piece)
            write_all(descriptor, piece)
        os.fchmod(descriptor, mode)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return digest.hexdigest()


def open_draft(path: str) -> int:
    """Open a draft, also one that a kill left whole and without its name."""
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except PermissionError:
        os.chmod(path, 0o600)
        return os.open(path, os.O_RDWR)


def digest_of(path: str) -> str:
    """Return the digest of a file."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for piece in iter(lambda: file.read(CHUNK), b""):
            digest.update(piece)
    return digest.hexdigest()


def taken(source: IO[bytes], size: int) -> Iterator[bytes]:
    """Yield so many bytes of what is being received."""
    while size:
        piece = source.read(min(CHUNK, size))
        if not piece:
            raise OSError(errno.EPIPE, "the connection broke")
        size -= len(piece)
        yield piece


def pieces_of(descriptor: int, offset: int, end: int) -> Iterator[bytes]:
    """Yield the bytes of an open file from `offset` to `end`."""
    while offset < end:
        piece = os.pread(descriptor, min(CHUNK, end - offset), offset)
        if not piece:
            raise OSError(errno.EIO, "it became shorter while it was read")
        offset += len(piece)
        yield piece


def refuse_changed(path: str, size: int) -> None:
    """Raise OSError for a file that has no longer the size that it had."""
    if os.stat(path).st_size != size:
        raise OSError(errno.ESTALE, "it has another size than is known", path)


def pieces_of_file(path: str, offset: int, end: int) -> Iterator[bytes]:
    """Yield the bytes of a file from `offset` to `end`."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        for piece in pieces_of(descriptor, offset, end):
            yield piece
    except OSError as error:
        error.filename = path
        raise
    finally:
        os.close(descriptor)

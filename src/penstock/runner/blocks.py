"""Large files, and many: digested and flushed in the pass that writes them, and continued where they were cut.

What is not whole is a draft that is named by the digest of the whole, so that nothing else is ever continued. Of a draft
whole blocks count: what a crash took from its end is sent again.
"""

import errno
import hashlib
import os
from typing import Iterable, Iterator

from .files import remove, write_all

BLOCK = 1 << 20
CHUNK = 1 << 20


def draft_of(path: str, digest: str) -> str:
    """Return where the beginning of a file is kept until all of it is there."""
    folder, name = os.path.split(path)
    return os.path.join(folder, ".{}.{}".format(name[:200], digest[:16]))


def held(path: str, size: int, digest: str) -> int:
    """Return how much of a file is there: all of it, or some blocks of its draft."""
    try:
        if os.stat(path).st_size == size and digest_of(path) == digest:
            return size
    except FileNotFoundError:
        pass
    try:
        return min(os.stat(draft_of(path, digest)).st_size, size) // BLOCK * BLOCK
    except FileNotFoundError:
        return 0


def receive(path: str, digest: str, offset: int, data: Iterable[bytes]) -> None:
    """Continue the draft of a file from `offset` on, and give it its name when its bytes have the digest."""
    draft = draft_of(path, digest)
    try:
        found = fill(draft, offset, data)
        if found != digest:
            remove(draft)
            raise OSError(errno.EIO, "its bytes have another digest than was told")
        os.replace(draft, path)
    except OSError as error:
        error.filename = path
        raise


def fill(draft: str, offset: int, data: Iterable[bytes]) -> str:
    """Write to a draft from `offset` on, and flush it; return the digest of all of it."""
    digest = hashlib.sha256()
    descriptor = os.open(draft, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        os.ftruncate(descriptor, offset)
        for piece in pieces_of(descriptor, 0, offset):
            digest.update(piece)
        os.lseek(descriptor, offset, os.SEEK_SET)
        for piece in data:
            digest.update(piece)
            write_all(descriptor, piece)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return digest.hexdigest()


def digest_of(path: str) -> str:
    """Return the digest of a file."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for piece in iter(lambda: file.read(CHUNK), b""):
            digest.update(piece)
    return digest.hexdigest()


def pieces_of(descriptor: int, offset: int, end: int) -> Iterator[bytes]:
    """Yield the bytes of an open file from `offset` to `end`."""
    while offset < end:
        piece = os.pread(descriptor, min(CHUNK, end - offset), offset)
        if not piece:
            raise OSError(errno.EIO, "it became shorter while it was read")
        offset += len(piece)
        yield piece


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

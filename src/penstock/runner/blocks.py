"""Large files, and many: digested and flushed in the pass that writes them, and continued where they were cut.

What is not whole is a draft that is named by the digest of the whole, so that nothing else is ever continued.
"""

import errno
import fcntl
import hashlib
import os
import re
import stat
from contextlib import contextmanager, suppress
from typing import IO, Callable, Dict, Generator, Iterable, Iterator, List, NamedTuple, Optional, Tuple

from .files import CHUNK, make_folders, remove, sync_folder, write_all
from .pace import BLOCK

FLUSH = 8 << 20  # bytes of one file, after which these begin to be written
NAME_BYTES = 200  # of a file's name, that a draft's has, too
TOGETHER = 500  # files, which are open as long: a flush costs as much for one as for all


class Wanted(NamedTuple):
    """A file that is to be at a path, and how much of it is there."""

    path: str
    size: int
    digest: str
    mode: int
    offset: int


class Draft(NamedTuple):
    """The beginning of a file, opened to be continued; its lock keeps others from that."""

    descriptor: int
    path: str
    file: Wanted


def draft_of(path: str, digest: str) -> str:
    """Return where the beginning of a file, or folder, is kept until all of it is there.

    Systems limit the bytes of a name, not its characters: what is cut off here ends with a whole one.
    """
    folder, name = os.path.split(path)
    known = os.fsencode(name)
    if len(known) > NAME_BYTES:
        name = os.fsdecode(known[:NAME_BYTES].decode("utf-8", "ignore").encode("utf-8"))
    return os.path.join(folder, ".{}.{}".format(name, digest[:16]))


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
        return min(os.stat(draft_of(path, digest)).st_size, size)
    except FileNotFoundError:
        return 0


def receive_all(
    files: Iterable[Wanted], data_of: Callable[[Wanted], Iterable[bytes]], folder_mode: int = 0o700
) -> None:
    """Receive files, or what is missing of them; their folders are made, and durable in the end.

    Small ones are flushed and get their names together, since a file system that flushes one has to write down all that
    was renamed before.
    """
    folders: Dict[str, None] = {}
    whole: List[Draft] = []
    try:
        for file in files:
            folder = os.path.dirname(file.path)
            if folder not in folders:
                folders.update(dict.fromkeys(make_folders(folder, folder_mode)))
                folders[folder] = None
            whole.append(receive(file, data_of(file)))
            if len(whole) == TOGETHER or sum(draft.file.size for draft in whole) >= BLOCK:
                name_all(whole)
    finally:
        name_all(whole)
        for folder in folders:  # also when this was cut off: who continues finds them made
            sync_folder(folder)


def write_shown(path: str, data: bytes) -> None:
    """Write a file that all may read; what a kill left of it, with these bytes or others, is used up or removed."""
    wanted = Wanted(path, len(data), hashlib.sha256(data).hexdigest(), 0o644, 0)
    receive_all([wanted], lambda _: [data], 0o755)
    folder, begin = os.path.split(draft_of(path, ""))
    is_draft = re.compile(re.escape(begin) + "[0-9a-f]{16}").fullmatch
    for other in filter(is_draft, os.listdir(folder or os.curdir)):
        remove_unheld(os.path.join(folder, other))


def remove_unheld(draft: str) -> None:
    """Remove a draft that no process holds; where files cannot be locked, nobody knows, and it stays."""
    try:
        descriptor = os.open(draft, os.O_RDWR | os.O_NOFOLLOW)
    except OSError:
        return
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(descriptor), os.stat(draft)):
                os.unlink(draft)
    finally:
        os.close(descriptor)


def receive(file: Wanted, data: Iterable[bytes]) -> Draft:
    """Continue the draft of a file until its bytes have the digest."""
    with naming(file):
        draft = open_draft(file)
        try:
            if fill(draft.descriptor, file.offset, data) != file.digest:
                remove(draft.path)
                raise OSError(errno.EIO, "its bytes have another digest than was told")
        except BaseException:
            os.close(draft.descriptor)
            if draft.path != draft_of(file.path, file.digest):
                remove(draft.path)
            raise
    return draft


def name_all(whole: List[Draft]) -> None:
    """Flush whole drafts and give them their names, and forget them."""
    try:
        for descriptor, _, file in whole:
            os.fchmod(descriptor, file.mode)
            start_flush(descriptor)
        for descriptor, _, file in whole:
            with naming(file):
                os.fsync(descriptor)
        for _, draft, file in whole:
            with naming(file):
                os.replace(draft, file.path)
    finally:
        for descriptor, _, _ in whole:
            os.close(descriptor)
        whole.clear()


@contextmanager
def naming(file: Wanted) -> Generator[None, None, None]:
    """Let an error name the file that was to be made, and not its draft."""
    try:
        yield
    except OSError as error:
        if error.filename not in (None, draft_of(file.path, file.digest)):
            raise
        raise OSError(error.errno, error.strerror, file.path) from error


def fill(descriptor: int, offset: int, data: Iterable[bytes]) -> str:
    """Write to a draft from `offset` on, and return the digest of all of it."""
    digest = hashlib.sha256()
    os.ftruncate(descriptor, offset)
    for piece in pieces_of(descriptor, 0, offset):
        digest.update(piece)
    os.lseek(descriptor, offset, os.SEEK_SET)
    begun = offset
    for piece in data:
        digest.update(piece)
        write_all(descriptor, piece)
        offset += len(piece)
        if offset - begun >= FLUSH:
            start_flush(descriptor, begun, offset - begun)
            begun = offset
    return digest.hexdigest()


def start_flush(descriptor: int, offset: int = 0, size: int = 0) -> None:
    """Let the system begin to write what will be flushed; Linux does at this advice, which does not wait for it."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(descriptor, offset, size, os.POSIX_FADV_DONTNEED)


def open_draft(file: Wanted) -> Draft:
    """Open the draft of a file; where another process receives the same one, make one of our own with as much in it."""
    shared = draft_of(file.path, file.digest)
    descriptor = open_to_write(shared)
    if is_ours(descriptor, shared):
        if os.fstat(descriptor).st_size < file.offset:
            begin_again(descriptor, file)
        return Draft(descriptor, shared, file)
    try:
        own = Draft(*make_own(shared), file)
        for piece in pieces_of(descriptor, 0, file.offset):
            write_all(own.descriptor, piece)
        return own
    finally:
        os.close(descriptor)


def begin_again(descriptor: int, file: Wanted) -> None:
    """Begin a draft with what was in another one, which has got its name since it was asked how much that is."""
    try:
        for piece in pieces_of_file(file.path, 0, file.offset):
            write_all(descriptor, piece)
    except OSError:
        os.close(descriptor)
        raise


def make_own(shared: str) -> Tuple[int, str]:
    """Make a draft that nobody continues."""
    path = "{}.{}".format(shared, os.urandom(4).hex())
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), path


def is_ours(descriptor: int, path: str) -> bool:
    """Whether a draft is locked for us, and did not get its name meanwhile; one that cannot be locked is ours."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def open_to_write(path: str) -> int:
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


def look_at(path: str, size: int) -> bool:
    """Return whether a file is executable; raise OSError for one that has no longer the size that it had."""
    status = os.stat(path)
    if status.st_size != size:
        raise OSError(errno.ESTALE, "it has another size than is known", path)
    return bool(status.st_mode & stat.S_IXUSR)


def mode_of(mode: int, executable: bool) -> int:
    """Return the mode of a new file, which may be run by whoever may read it if it is executable.

    >>> oct(mode_of(0o640, True))
    '0o750'
    """
    return mode | (mode & 0o444) >> 2 if executable else mode


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

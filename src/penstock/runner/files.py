"""Files of one machine, written so that a crash leaves the old or the new, never a half.

What answers for a transport far away is made of these and starts for each question, so they import nothing else of ours,
and what takes long to import only where it is used.
"""

import os
import stat
import sys
from typing import Any, Dict, Iterable, Iterator, List, Optional, Tuple, Type

CHUNK = 1 << 18  # bytes that are read and written at once; of larger pieces each would be new memory
FAST = 1  # events and logs shrink to a tenth at the lowest level already

# one by one


def read_from(path: str, offset: int, most: int) -> Optional[bytes]:
    """Return the bytes after `offset`, up to `most`; None when there is no file.

    It is opened before its size is asked for: only that makes a network file system ask its server (close-to-open
    consistency, nfs(5)); a mere stat may be answered from a cache for a minute.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return None
        if status.st_size <= offset:
            return b""
        return os.pread(descriptor, min(most, status.st_size - offset), offset)
    finally:
        os.close(descriptor)


def write_file(path: str, data: Iterable[bytes]) -> None:
    """Write a whole file: temporary name, fsync, rename, fsync of the folder. Its errors name it."""
    folder, name = os.path.split(path)
    draft = os.path.join(folder, ".{}.{}".format(name, os.getpid()))
    try:
        write_durably(draft, data)
        os.replace(draft, path)
        sync_folder(folder)
    except OSError as error:
        remove(draft)  # of a full disk it would take the rest
        error.filename = path
        raise


def write_durably(path: str, data: Iterable[bytes], flag: int = os.O_TRUNC) -> None:
    """Write a file for its owner alone, and fsync."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | flag, 0o600)
    try:
        for piece in data:
            write_all(descriptor, piece)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_all(descriptor: int, data: bytes) -> None:
    """Write every byte, however many calls it takes."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def remove(path: str) -> None:
    """Remove a file or a folder with all in it, as far as it can be."""
    try:
        if not stat.S_ISDIR(os.lstat(path).st_mode):
            os.unlink(path)
            return
    except OSError:
        return
    remove_folder(path)


def remove_folder(path: str) -> None:
    """Remove a folder with all in it, as far as it can be."""
    import shutil

    try:
        shutil.rmtree(path, ignore_errors=True)
        if os.path.lexists(path):
            open_folders(path)
            shutil.rmtree(path, ignore_errors=True)
    except RecursionError:  # folders in folders, a thousand deep
        return


# folders


def sync_folder(path: str) -> None:
    """Make renames in a folder durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folders(path: str, mode: int = 0o700) -> List[str]:
    """Make a folder and those above it that are missing, for their owner alone unless their mode says otherwise.

    Return the folders that got a new one: until they are flushed, that may be lost with all in it.
    """
    if os.path.isdir(path):
        return []
    above = os.path.dirname(path)
    grown = make_folders(above, mode)
    try:
        os.mkdir(path, mode)
    except FileExistsError:
        if not os.path.isdir(path):
            raise
    return [*grown, above]


def make_durable(path: str, mode: int = 0o700) -> None:
    """Make a folder and those above it that are missing, and flush them, for something that is removed elsewhere then."""
    for above in make_folders(path, mode):
        sync_folder(above)


def entries_of(folder: str) -> Iterator[Tuple[str, os.stat_result]]:
    """Yield names and what is known of them; what goes meanwhile is left out."""
    for entry in os.scandir(folder):
        try:
            yield entry.name, entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue


def refresh_listing(folder: str) -> None:
    """Change a folder, so that the next listing is a new one.

    A network file system keeps an old one as long as the folder's time stands still, and what nodes make within
    one step of the server's clock, milliseconds to a second, may not move it (nfs(5), "Directory entry caching").
    """
    look = os.path.join(folder, ".look.{}".format(os.getpid()))
    try:
        os.close(os.open(look, os.O_WRONLY | os.O_CREAT, 0o600))
        os.unlink(look)
    except OSError:  # no room, or a folder that is packed by now
        return


def lock(descriptor: int, how: int) -> bool:
    """Lock an open file or folder until it is closed; return False where somebody has it, or there are no locks."""
    import fcntl

    try:
        fcntl.flock(descriptor, how)
    except OSError:
        return False
    return True


def remove_empty(folder: str) -> None:
    """Remove a folder in which nothing is."""
    try:
        os.rmdir(folder)
    except OSError:
        return


def open_folders(path: str) -> None:
    """Let their owner into all folders from a path on."""
    for folder, names, _ in os.walk(path):
        for name in [folder] + [os.path.join(folder, name) for name in names]:
            if os.path.islink(name):  # chmod would follow it
                continue
            try:
                os.chmod(name, 0o700)
            except OSError:
                continue


# archives: a finished job's folder becomes one file; a crash in the middle leaves the folder, the archive, or both


def archive_of(folder: str) -> str:
    """Return where the archive of a job's folder is, or will be."""
    return folder + ".zip"


def pack_folder(folder: str) -> None:
    """Put a job's files into its archive and remove the folder; without room it stays, for a later conductor."""
    import shutil

    parent, name = os.path.split(folder)
    archive, draft = archive_of(folder), archive_of(os.path.join(parent, "." + name))
    try:
        if not is_whole(archive):
            write_archive(draft, folder)
            os.rename(draft, archive)
        sync_folder(parent)
        shutil.rmtree(folder)
    except OSError:
        remove(draft)


def write_archive(path: str, folder: str) -> None:
    """Write the files of a job that may be read again, and make them durable."""
    from zipfile import ZIP_DEFLATED, ZipFile

    newer: Dict[str, Any] = {"compresslevel": FAST, "strict_timestamps": False}
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w+b") as file:
        with ZipFile(file, "w", ZIP_DEFLATED, **(newer if sys.version_info >= (3, 8) else {})) as archive:
            for name in sorted(filter(is_kept, os.listdir(folder))):
                kept = os.path.join(folder, name)
                if os.path.isfile(kept):
                    archive.write(kept, name)
        file.flush()
        os.fsync(file.fileno())


def is_kept(name: str) -> bool:
    """Whether a file is worth keeping: reserved space and half-written files are not."""
    return not name.endswith(".reserve") and not name.startswith(".")


def is_whole(path: str) -> bool:
    """Whether an archive exists and is complete."""
    from zipfile import ZipFile

    try:
        with ZipFile(path) as archive:
            return archive.testzip() is None
    except damages():
        return False


def damages() -> Tuple[Type[Exception], ...]:
    """Return what reading an archive with changed bytes may raise."""
    import struct
    import zlib
    from zipfile import BadZipFile

    return (
        BadZipFile,
        zlib.error,
        struct.error,
        EOFError,
        OSError,
        ValueError,
        NotImplementedError,
        RuntimeError,
    )

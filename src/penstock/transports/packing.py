"""A finished job's folder becomes one file: a crash in the middle leaves the folder, the archive, or both."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from penstock.disk import private

FAST = 1  # events and logs shrink to a tenth at the lowest level already


def archive_of(folder: Path) -> Path:
    """Return where the archive of a job's folder is, or will be."""
    return folder.with_name(f"{folder.name}.zip")


def pack_folder(folder: Path) -> None:
    """Put a job's files into its archive and remove the folder; without room it stays, for a later conductor."""
    draft = folder.with_name(f".{folder.name}.zip")
    try:
        if not is_whole(archive_of(folder)):
            write_archive(draft, folder)
            draft.rename(archive_of(folder))
        shutil.rmtree(folder)
    except OSError:
        draft.unlink(missing_ok=True)


def write_archive(path: Path, folder: Path) -> None:
    """Write the files of a job that may be read again, and make them durable."""
    from zipfile import ZIP_DEFLATED, ZipFile

    with open(path, "wb", opener=private) as file:
        with ZipFile(file, "w", ZIP_DEFLATED, compresslevel=FAST, strict_timestamps=False) as archive:
            for kept in sorted(p for p in folder.iterdir() if p.is_file() and is_kept(p)):
                archive.write(kept, kept.name)
        file.flush()
        os.fsync(file.fileno())


def is_kept(path: Path) -> bool:
    """Whether a file is worth keeping: reserved space and half-written files are not."""
    return path.suffix != ".reserve" and not path.name.startswith(".")


def is_whole(path: Path) -> bool:
    """Whether an archive exists and is complete."""
    from zipfile import ZipFile

    try:
        with ZipFile(path) as archive:
            return archive.testzip() is None
    except damages():
        return False


def damages() -> tuple[type[Exception], ...]:
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

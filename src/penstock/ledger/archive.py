"""Files of jobs, read where they are: in the job's folder, or in its archive."""

from __future__ import annotations

from pathlib import Path

from penstock.errors import Corrupt
from penstock.runner.files import archive_of, damages


def read_stretch(file: Path, offset: int, length: int) -> bytes | None:
    """Return bytes of a file in a job's folder, or of the same file in its archive; None when there is neither.

    Raises Corrupt if the archive is damaged.
    """
    if file.exists():
        with file.open("rb") as stream:
            stream.seek(offset)
            return stream.read(length)
    packed = Path(archive_of(str(file.parent)))
    if not packed.exists():
        return None
    try:
        return read_packed(packed, file.name, offset, length)
    except damages() as error:
        raise Corrupt(
            f"{packed} is damaged ({error}): the logs in it are lost, results and the record are not"
        ) from error


def read_packed(packed: Path, name: str, offset: int, length: int) -> bytes | None:
    """Return bytes of a file in an archive; None when it is not in it."""
    from zipfile import ZipFile

    with ZipFile(packed) as archive:
        if name not in archive.namelist():
            return None
        with archive.open(name) as stream:
            stream.seek(offset)
            return stream.read(length)

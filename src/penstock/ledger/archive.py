"""Files of jobs, read where they are: in the job's folder, or in its archive."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from penstock.errors import Corrupt
from penstock.runner.files import archive_of, damages

JOB = re.compile(r"(p[a-z0-9]{10})(\.zip)?")  # a folder of a job, or its archive


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


def jobs_in(folder: Path) -> Iterator[tuple[str, bool]]:
    """Yield the jobs of which there is a folder or an archive, and whether it is that."""
    names = os.listdir(folder) if folder.is_dir() else []
    for match in filter(None, map(JOB.fullmatch, names)):
        yield match[1], match[2] is not None

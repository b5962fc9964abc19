"""The inputs of a sweep as one file: a zip with a folder a point, the table of points, and a manifest.

An archive may come from anybody: all of it is checked before anything is written.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, cast
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo
from zlib import error as ZlibError

from penstock.errors import DefinitionError
from penstock.workflows.sweep.campaign import INPUTS, JOB_SPEC, digest_of
from penstock.workflows.sweep.points import FILE as POINTS
from penstock.workflows.sweep.points import Point, Points

MANIFEST, FORMAT = "manifest.json", 1
MOST_FILES, MOST_BYTES = 1_000_000, 4 * 2**30  # of what is unpacked
EPOCH = (1980, 1, 1, 0, 0, 0)  # the same inputs make the same archive, whenever they are packed

_SAFE = re.compile(r"[^\x00-\x1f\x7f\\:]{1,1000}").fullmatch


def pack(folder: Path, points: Points, file: Path) -> int:
    """Pack the inputs of the points that a campaign plans today; return how many. Raises DefinitionError."""
    if file.exists():
        raise DefinitionError(f"{file} already exists; choose another name")
    planned = list(points.planned())
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with ZipFile(temporary, "x", ZIP_DEFLATED, compresslevel=1) as archive:
            manifest = {"format": FORMAT, "points": {point.name: point.digest for point in planned}}
            _add(archive, MANIFEST, json.dumps(manifest, indent=0).encode())
            _add(archive, POINTS, (folder / POINTS).read_bytes())
            for point in planned:
                _add_point(archive, folder, point)
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)
    return len(planned)


def _add_point(archive: ZipFile, folder: Path, point: Point) -> None:
    own = f"{INPUTS}/{point.name}"
    try:
        spec = (folder / own / JOB_SPEC).read_bytes()
        contents = {name: (folder / own / name).read_bytes() for name in _made_of(spec)["inputs"]}
    except OSError as error:
        raise DefinitionError(f"{error.filename} cannot be read; run `penstock sweep extend`") from None
    _check_point(own, point.digest, spec, contents)
    for name, content in ((JOB_SPEC, spec), *contents.items()):
        _add(archive, f"{own}/{name}", content)


def _add(archive: ZipFile, name: str, content: bytes) -> None:
    entry = ZipInfo(name, EPOCH)
    entry.compress_type = ZIP_DEFLATED
    entry.external_attr = (stat.S_IFREG | 0o644) << 16
    archive.writestr(entry, content)


def unpack(file: Path, folder: Path, *, most_bytes: int = MOST_BYTES) -> int:
    """Unpack an archive into a folder that has no sweep yet; return how many points there are.

    Refused are names that lead out of the folder, links and other things that are no files, names that are there
    twice, more files or bytes than a sweep has, and what is not as the manifest says. Raises DefinitionError.
    """
    for name in (POINTS, INPUTS):
        if os.path.lexists(folder / name):
            raise DefinitionError(f"{folder / name} already exists; choose another folder")
    made = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    aside = folder / f".unpack-{os.getpid()}"
    aside.mkdir()
    try:
        with ZipFile(file) as archive:
            names = check_entries(archive.infolist(), file, most_bytes=most_bytes)
            points = _extract(archive, names, aside, file)
        (aside / INPUTS).mkdir(exist_ok=True)
        for name in (INPUTS, POINTS):
            (aside / name).rename(folder / name)
    except (BadZipFile, ZlibError, NotImplementedError, EOFError, OSError, RuntimeError) as error:
        raise DefinitionError(f"{file} cannot be unpacked: {error}") from None
    finally:
        shutil.rmtree(aside)
        if made:
            with suppress(OSError):  # nothing stays of an archive that was refused
                folder.rmdir()
    return points


def check_entries(entries: list[ZipInfo], file: Path, *, most_bytes: int = MOST_BYTES) -> set[str]:
    """Return the names of an archive's files. Raises DefinitionError if one of them may do harm."""
    if len(entries) > MOST_FILES or sum(entry.file_size for entry in entries) > most_bytes:
        raise DefinitionError(f"{file} has over {MOST_FILES:,} files or {most_bytes:,} bytes; it is no sweep")
    seen = set[str]()
    for entry in entries:
        if why := _fault(entry, seen):
            raise DefinitionError(f"{file} has {entry.filename!r}, which {why}; nothing was unpacked")
        seen.add(entry.filename.casefold())
    return {entry.filename for entry in entries}


def _fault(entry: ZipInfo, seen: set[str]) -> str | None:
    """Say why an entry is not unpacked."""
    name, kind = entry.filename, stat.S_IFMT(entry.external_attr >> 16)
    if not _SAFE(name) or name != entry.orig_filename or {"", ".", ".."} & {*name.split("/")}:
        return "leads out of its folder, or is no name of a file"
    if kind not in (0, stat.S_IFREG) or entry.is_dir():
        return "is a link, a folder, or a device"
    if entry.compress_type not in (ZIP_STORED, ZIP_DEFLATED) or entry.flag_bits & 1:
        return "is encrypted, or compressed in another way than sweeps are"
    return "is there twice" if name.casefold() in seen else None


def _extract(archive: ZipFile, names: set[str], aside: Path, file: Path) -> int:
    """Write what the manifest tells, each point's inputs checked by their digests; anything else is refused."""
    try:
        manifest = cast("Mapping[str, Any]", json.loads(archive.read(MANIFEST)))
        digests = {str(name): str(digest) for name, digest in manifest["points"].items()}
        if manifest["format"] != FORMAT:
            raise DefinitionError(f"{file} has the format {manifest['format']!r}, which is not known here")
        (aside / POINTS).write_bytes(archive.read(POINTS))
        told = {MANIFEST, POINTS}
        for own, digest in ((f"{INPUTS}/{name}", digest) for name, digest in digests.items()):
            for name, content in _read_point(archive, own, digest):
                told.add(name)
                (aside / name).parent.mkdir(parents=True, exist_ok=True)
                (aside / name).write_bytes(content)
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise DefinitionError(f"{file} is not a packed sweep: {error}") from None
    if others := sorted(names - told):
        raise DefinitionError(
            f"{file} has {others[0]!r}, of which its manifest says nothing; nothing was unpacked"
        )
    return len(digests)


def _read_point(archive: ZipFile, own: str, digest: str) -> Iterator[tuple[str, bytes]]:
    spec = archive.read(f"{own}/{JOB_SPEC}")
    contents = {str(name): archive.read(f"{own}/{name}") for name in _made_of(spec)["inputs"]}
    _check_point(own, digest, spec, contents)
    yield f"{own}/{JOB_SPEC}", spec
    yield from ((f"{own}/{name}", content) for name, content in contents.items())


def _made_of(spec: bytes) -> Mapping[str, Any]:
    return json.loads(spec.partition(b"\n")[0])


def _check_point(own: str, digest: str, spec: bytes, contents: Mapping[str, bytes]) -> None:
    told = _made_of(spec)["inputs"]
    wrong = [name for name, content in contents.items() if digest_of(content) != told[name]]
    if digest_of(spec.partition(b"\n")[0]) != digest or wrong:
        name = wrong[0] if wrong else JOB_SPEC
        raise DefinitionError(f"{own}/{name} is not what the sweep wrote; extend the sweep and pack it again")

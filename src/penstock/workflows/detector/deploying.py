"""The calibration store: which map of bad pixels is in force for a run, and how another takes its place.

`<calib>/<Group>/<source>/pixel_status/<run>-end.data`, as psana finds it. A map appears whole or not at all; the one
that it replaces is kept, and a line is added to HISTORY. Killed anywhere, the same command completes it.
"""

from __future__ import annotations

import fcntl
import getpass
import hashlib
import os
import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from penstock.errors import DefinitionError
from penstock.units import Template
from penstock.workflows.detector.bits import STATUS
from penstock.workflows.detector.faults import Refused
from penstock.workflows.detector.ndarrayfile import read_text, text_of

NAME = re.compile(r"(\d+)-(end|\d+)\.data")
HISTORY, LOCK = "HISTORY", ".lock"
PREVIOUS, WITHDRAWN = ".previous", ".withdrawn"


@dataclass(frozen=True, slots=True)
class Place:
    """Where maps of one detector are. Raises DefinitionError for a name that is none."""

    calib: Path
    group: str  # such as CsPad::CalibV1
    source: str  # such as CxiDs1.0:Cspad.0
    kind: str = "pixel_status"

    def __post_init__(self) -> None:
        for name in (self.group, self.source, self.kind):
            if not name.strip() or "/" in name or name.startswith("."):
                raise DefinitionError(f"{name!r} cannot be the name of a folder in {self.calib}")

    @property
    def folder(self) -> Path:
        return self.calib / self.group / self.source / self.kind


def place_of(given: Mapping[str, Any], values: Mapping[str, Any]) -> Place:
    """Give the place that parameters name; `values` are those of its placeholders. Raises DefinitionError."""
    words = [name for name in ("calib", "group", "source", "kind") if name in given]
    written = {name: Template.parse(str(given[name])).render(values, in_path=True) for name in words}
    return Place(Path(written.pop("calib")), **written)


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a map must keep to be deployed; fractions of all pixels, 0…1."""

    bad: float = 0.1
    newly_bad: float = 0.02  # compared with the map in force, if there is one
    newly_good: float = 0.1


@dataclass(frozen=True, slots=True)
class Comparison:
    """A map beside the one in force, in pixels; `before` is that one's path, None if there is none."""

    pixels: int
    bad: int
    newly_bad: int = 0
    newly_good: int = 0
    before: Path | None = None

    def __str__(self) -> str:
        share = f"{self.bad} of {self.pixels} pixels bad ({self.bad / max(1, self.pixels):.2%})"
        if self.before is None:
            return f"{share}, no map in force before"
        return (
            f"{share}, {self.newly_bad} newly bad and {self.newly_good} newly good since {self.before.name}"
        )

    def faults(self, conditions: Conditions) -> Iterator[str]:
        """Say which conditions it does not keep."""
        for name in ("bad", "newly_bad", "newly_good"):
            share, most = getattr(self, name) / max(1, self.pixels), getattr(conditions, name)
            if share > most:
                said = name.replace("_", " ")
                yield f"{share:.2%} of the pixels are {said}, at most {most:.2%} may be; look at them, or raise {name}"


def in_force(place: Place, run: int) -> Path | None:
    """Give the map that holds for a run: of those whose range has it, the one that begins last."""
    found = [
        (int(match[1]), path)
        for path in (place.folder.iterdir() if place.folder.is_dir() else ())
        if (match := NAME.fullmatch(path.name)) and int(match[1]) <= run
        if match[2] == "end" or run <= int(match[2])
    ]
    return max(found)[1] if found else None


def compare(place: Place, run: int, status: NDArray[Any], detector: str = "") -> Comparison:
    """Compare a map (status, 0 is good) with the one in force.

    Raises Refused if that one is of another shape, or of another detector.
    """
    path, bad = in_force(place, run), status != 0
    if path is None:
        return Comparison(status.size, int(bad.sum()))
    before, about = read_text(path)
    if "NDIM" not in about and before.size == status.size:
        before = before.reshape(status.shape)
    if before.shape != status.shape:
        raise Refused(f"{path} in force is of {before.shape}, this map of {status.shape}: another detector")
    known = about.get("DETECTOR", "")
    if known and detector and known != detector:
        raise Refused(f"{path} in force is of the detector {known}, this map of {detector}")
    was = before != 0
    return Comparison(status.size, int(bad.sum()), int((bad & ~was).sum()), int((was & ~bad).sum()), path)


def deploy(
    place: Place,
    run: int,
    status: NDArray[Any] | None,
    *,
    detector: str = "",
    about: Mapping[str, Any] | None = None,
    conditions: Conditions | None = None,
) -> Comparison:
    """Put a map in force from a run on; give how it differs from the one before.

    `status` is of integers, in the detector's shape. `about` goes into the header: nothing that differs when the same
    is deployed again, such as a time. Raises Refused, and changes nothing, if it is no map, of another
    detector than the map in force, or does not keep the conditions.
    """
    if status is None:
        raise Refused(f"run {run} was not judged, so there is no map to deploy")
    if status.dtype.kind not in "iu" or not status.size:
        raise Refused(f"a map is of integers, one a pixel; this one is of {status.shape} {status.dtype}")
    with _locked(place.folder):
        found = compare(place, run, status, detector)
        for wrong in found.faults(conditions or Conditions()):
            raise Refused(f"run {run} is not deployed in {place.folder}: {wrong}")
        header = {"RUN": run, "SOURCE": place.source, "DETECTOR": detector, **(about or {})}
        data, final = text_of(status.astype(STATUS), header), place.folder / f"{run}-end.data"
        digest = hashlib.sha256(data).hexdigest()
        if _digest(final) != digest:
            _keep(final, PREVIOUS)
            _replace(final, data)
        if not _last_line(final).startswith(f"deployed {digest}"):
            _note(final, f"deployed {digest}", str(found))
    return found


def undeploy(place: Place, run: int) -> Path | None:
    """Take the map of a run out of force; give the map that holds for the run now.

    The map that it had replaced is in force again; without one, that of an earlier run. What is taken out is kept.
    Raises Refused if none is there.
    """
    final = place.folder / f"{run}-end.data"
    if not place.folder.is_dir():
        raise Refused(f"{place.folder} is not there, so no map is in force")
    with _locked(place.folder):
        digest, last = _digest(final), _last_line(final).split()
        resumed = last[:1] == ["withdrawing"] and last[1] != digest  # it was killed after the act
        if not resumed:
            if digest is None:
                raise Refused(f"{final} is not there, so it cannot be taken out of force")
            _note(final, f"withdrawing {digest}")
            _keep(final, WITHDRAWN)
            _restore(final)
        _note(final, f"withdrawn {last[1] if resumed else digest}")
    return in_force(place, run)


def _restore(final: Path) -> None:
    """Put the map that was replaced last in force again, or leave none."""
    kept = _kept(final, PREVIOUS)
    while kept and os.path.samefile(
        kept[-1], final
    ):  # of a deployment that was killed before it replaced anything
        kept.pop().unlink()
    if kept:
        os.replace(kept[-1], final)
    else:
        final.unlink()
    _sync(final.parent)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Let one at a time change a folder; the lock ends with its process."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _digest(path: Path) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else None


def _keep(final: Path, folder: str) -> None:
    """Keep a map under another name, too, unless it is kept already."""
    if not final.exists():
        return
    kept = _kept(final, folder)
    if kept and os.path.samefile(kept[-1], final):
        return
    (final.parent / folder).mkdir(exist_ok=True)
    number = int(kept[-1].suffixes[-2][1:]) + 1 if kept else 1
    os.link(final, final.parent / folder / f"{final.stem}.{number:04d}.data")
    _sync(final.parent / folder)


def _kept(final: Path, folder: str) -> list[Path]:
    """Give what is kept of a map, oldest first."""
    return sorted((final.parent / folder).glob(f"{final.stem}.*.data"))


def _replace(final: Path, data: bytes) -> None:
    temporary = final.with_name(f".new-{final.name}")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, final)
    _sync(final.parent)


def _note(final: Path, act: str, more: str = "") -> None:
    """Add a line to the history: the file, what was done, when, by whom."""
    who = f"{getpass.getuser()}@{socket.gethostname()}"
    line = " ".join(filter(None, (final.name, act, f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", who, more)))
    with (final.parent / HISTORY).open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")
        file.flush()
        os.fsync(file.fileno())


def _last_line(final: Path) -> str:
    """Give what the history says last about a map as it is: "deployed …", "withdrawing …"; else nothing."""
    path = final.parent / HISTORY
    lines = path.read_text("utf-8", errors="replace").splitlines() if path.exists() else []
    mine = [line.partition(" ")[2] for line in lines if line.startswith(f"{final.name} ")]
    return mine[-1] if mine else ""


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""The frames of a run: streams and chunks, HDF5 or .npy, as one; only frames that are really stored."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from penstock.workflows.detector.faults import Incomplete, Unreadable
from penstock.workflows.detector.links import follow, open_hdf5
from penstock.workflows.detector.selection import Selection
from penstock.workflows.detector.stored import load_plugins, may_be_unwritten, stored_frames
from penstock.workflows.detector.superblock import check_whole, folder_time

DATASET = "entry/data/data"
BLOCK = 64 << 20  # bytes that are read at once, unless a frame is larger
NUMBERED = re.compile(r"data_\d+").fullmatch  # in master files of DECTRIS
SURELY = 64  # equal values that no detector gives by chance
SENTINELS = {"uint16": 2**16 - 1, "uint32": 2**32 - 1}  # of pixels without a value (DECTRIS, NeXus)


@dataclass(frozen=True)
class Piece:
    """The frames of one dataset: `places` are those that are stored and chosen, in order."""

    path: Path
    name: str
    shape: tuple[int, ...]  # of a frame
    dtype: np.dtype[Any]
    places: NDArray[np.int64]
    blank: Any = None  # a frame of this value alone may never have been written
    together: int = 1  # frames in a chunk of the file: it is read whole, however few are wanted

    def open(self) -> Any:
        """Open the dataset; close what it gives with `.file.close()`, if it has one."""
        if self.path.suffix == ".npy":
            return np.load(self.path, mmap_mode="r")
        return open_hdf5(self.path)[self.name]


@dataclass
class Run:
    """All frames of a run, as one; `told` gathers what is to be known about them, a sentence each.

    >>> run = open_run([Path("e1234-r0059-s00-c00.h5"), Path("e1234-r0059-s01-c00.h5")])
    >>> for frames in run.blocks():
    ...     sums.add(frames)
    """

    pieces: Sequence[Piece]
    told: list[str] = field(default_factory=list)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of a frame."""
        return self.pieces[0].shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.pieces[0].dtype

    def __len__(self) -> int:
        """Count the frames that are stored and chosen."""
        return sum(len(piece.places) for piece in self.pieces)

    def blocks(
        self, size: int | None = None, *, first: int = 0, last: int | None = None
    ) -> Iterator[NDArray[Any]]:
        """Read frames (frames × shape), at most `size` at once; the array is overwritten by the next.

        Those from `first` to before `last`, so that several tasks may share a run. Frames that are blank, or have a
        sentinel everywhere, are left out and told.
        """
        chosen = range(len(self))[first:last]
        size = size or self.at_once()
        room = np.empty((min(size, max(1, len(chosen))), *self.shape), self.dtype)
        begin = 0
        for piece in self.pieces:
            end = begin + len(piece.places)
            mine = slice(max(0, chosen.start - begin), max(0, min(end, chosen.stop) - begin))
            yield from self._read(piece, piece.places[mine], room)
            begin = end

    def at_once(self) -> int:
        """Give how many frames are read at once: some 64 MB, in whole chunks of the files."""
        size = max(1, BLOCK // max(1, self.dtype.itemsize * int(np.prod(self.shape))))
        together = max(piece.together for piece in self.pieces)
        return max(together, size // together * together)

    def sample(self, number: int) -> NDArray[Any]:
        """Read so many frames from all over the run."""
        wanted = np.unique(np.linspace(0, len(self) - 1, min(number, len(self))).round().astype(np.int64))
        return self._gather(wanted)

    def first(self, number: int) -> NDArray[Any]:
        """Read the first frames."""
        return self._gather(np.arange(min(number, len(self))))

    def _gather(self, wanted: NDArray[np.int64]) -> NDArray[Any]:
        made, begin, count, quiet = np.empty((len(wanted), *self.shape), self.dtype), 0, 0, Run(self.pieces)
        for piece in self.pieces:
            inside = wanted[(wanted >= begin) & (wanted < begin + len(piece.places))] - begin
            for frames in quiet._read(piece, piece.places[inside], made[count:]):
                made[count : count + len(frames)] = frames  # less than were wanted if some were left out
                count += len(frames)
            begin += len(piece.places)
        return made[:count]

    def _read(self, piece: Piece, places: NDArray[np.int64], room: NDArray[Any]) -> Iterator[NDArray[Any]]:
        if not len(places):
            return
        dataset, blank, masked = piece.open(), 0, 0
        try:
            for start in range(0, len(places), len(room)):
                some = places[start : start + len(room)]
                frames = _fill(dataset, some, room[: len(some)], piece)
                empty, out = _uniform(frames, piece.blank), _uniform(frames, sentinel_of(self.dtype))
                blank, masked = blank + int(empty.sum()), masked + int((out & ~empty).sum())
                if blank or masked:
                    frames = frames[~(empty | out)]
                if len(frames):
                    yield frames
        finally:
            if hasattr(dataset, "file"):
                dataset.file.close()
        self._tell(piece, blank, masked)

    def _tell(self, piece: Piece, blank: int, masked: int) -> None:
        where = f"{piece.path}:{piece.name}"
        if blank:
            self.told.append(
                f"{where}: {count_frames(blank)} left out, all of the fill value {piece.blank}: never written"
            )
        if masked:
            value = sentinel_of(self.dtype)
            self.told.append(f"{where}: {count_frames(masked)} left out, {value} in every pixel: no image")


def open_run(paths: Sequence[Path], dataset: str = DATASET, selection: Selection | None = None) -> Run:
    """Open the files of one run as one, in the order of their names.

    `dataset` is where the frames are in each HDF5 file: a dataset (frames × any shape), or a group of such, as in a
    master file of DECTRIS. Raises Incomplete while something is still to come, Unreadable if it never will be read.
    """
    pieces: list[Piece] = []
    told: list[str] = []
    for path in sorted(paths):
        pieces += _pieces_of_npy(path) if path.suffix == ".npy" else _pieces_of_hdf5(path, dataset, told)
    if not pieces:
        raise Unreadable("no files were given; a run has one or more")
    for piece in pieces[1:]:
        if (piece.shape, piece.dtype) != (pieces[0].shape, pieces[0].dtype):
            first, other = (f"{p.path}:{p.name} has {p.shape} of {p.dtype}" for p in (pieces[0], piece))
            raise Unreadable(f"streams of one run differ: {first}, {other}")
    if selection is not None:
        pieces = selection.apply(pieces, told)
    return Run(pieces, told)


def sentinel_of(dtype: np.dtype[Any]) -> int | None:
    """Give the value that says "no value" in this type of data; None if there is none.

    >>> sentinel_of(np.dtype("uint16"))
    65535
    """
    return SENTINELS.get(dtype.name)


def count_frames(number: int) -> str:
    """Write a number of frames.

    >>> count_frames(1)
    '1 frame'
    """
    return f"{number} frame{'s' * (number != 1)}"


def _pieces_of_npy(path: Path) -> Iterator[Piece]:
    try:
        made = np.load(path, mmap_mode="r")
    except FileNotFoundError as error:
        raise Incomplete(f"{path} is not there yet", since=folder_time(path), awaited=(str(path),)) from error
    except ValueError as error:  # shorter than its header says, or none
        since = path.stat().st_mtime
        raise Incomplete(f"{path} is truncated, or is no .npy file: {error}", since=since) from error
    if made.ndim < 2:
        raise Unreadable(f"{path} has the shape {made.shape}; frames × rows × columns are needed")
    yield Piece(path, "array", made.shape[1:], made.dtype, np.arange(len(made)))


def _pieces_of_hdf5(path: Path, name: str, told: list[str]) -> Iterator[Piece]:
    load_plugins()
    check_whole(path)
    with open_hdf5(path) as file:
        for where, found in _datasets(file, path, name):
            yield _piece_of(path, where, found, told)


def _datasets(file: Any, path: Path, name: str) -> Iterator[tuple[str, Any]]:
    """Give the datasets of frames at a place; of a group all, or those that are numbered, if some are."""
    found = follow(file, path, name)
    if isinstance(found, h5py.Dataset):
        yield name, found
        return
    numbered = [each for each in sorted(found) if NUMBERED(each)]  # beside them, "data" may show them as one
    members = [f"{name.rstrip('/')}/{each}" for each in numbered or sorted(found)]
    opened = [(where, follow(file, path, where)) for where in members]
    frames = [(where, one) for where, one in opened if isinstance(one, h5py.Dataset) and one.ndim > 1]
    if not frames:
        raise Unreadable(f"{path}:{name} is a group without frames; it has {', '.join(found) or 'nothing'}")
    yield from frames


def _piece_of(path: Path, where: str, found: Any, told: list[str]) -> Piece:
    if found.ndim < 2 or found.dtype.kind not in "iuf":
        raise Unreadable(
            f"{path}:{where} has {found.shape} of {found.dtype}; numbers, frames × rows × columns, are needed"
        )
    flags = stored_frames(found, f"{path}:{where}")
    missing = int(np.count_nonzero(~flags))
    if missing:
        told.append(f"{path}:{where}: {missing} of {count_frames(len(flags))} were never stored; left out")
    blank = found.fillvalue if may_be_unwritten(found) else None
    together = found.chunks[0] if found.chunks else 1
    return Piece(path, where, found.shape[1:], found.dtype, np.flatnonzero(flags), blank, together)


def _fill(dataset: Any, places: NDArray[np.int64], room: NDArray[Any], piece: Piece) -> NDArray[Any]:
    """Read frames at rising places into `room`, neighbours together."""
    borders = np.flatnonzero(np.diff(places) != 1) + 1
    for first, last in zip([0, *borders], [*borders, len(places)], strict=True):
        begin, end = int(places[first]), int(places[last - 1]) + 1
        try:
            if hasattr(dataset, "read_direct"):
                dataset.read_direct(room, np.s_[begin:end], np.s_[first:last])
            else:
                room[first:last] = dataset[begin:end]
        except OSError as error:
            where = f"{piece.path}:{piece.name}"
            raise Unreadable(f"{where}: frames {begin} to {end - 1} cannot be read: {error}") from error
    return room


def _uniform(frames: NDArray[Any], value: Any) -> NDArray[np.bool_]:
    """Say which frames have one value in every pixel; small ones may by chance."""
    rows = frames.reshape(len(frames), -1)
    if value is None or rows.shape[1] < SURELY:
        return np.zeros(len(rows), np.bool_)
    likely = (rows[:, :: rows.shape[1] // SURELY] == value).all(axis=1)
    likely[likely] = (rows[likely] == value).all(axis=1)
    return likely

"""Which frames of an HDF5 dataset are really stored: HDF5 reads the others as zeros, and says nothing."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from penstock.workflows.detector.faults import Incomplete, Unreadable
from penstock.workflows.detector.links import find_beside, open_hdf5
from penstock.workflows.detector.superblock import check_whole

Flags = NDArray[np.bool_]  # one for each frame

#: filters that are plug-ins, which hdf5plugin brings (HDF Group's register of filters)
PLUGINS = {
    307: "bzip2",
    32000: "LZF",
    32001: "Blosc",
    32004: "LZ4",
    32008: "bitshuffle",
    32013: "ZFP",
    32015: "Zstandard",
    32017: "SZ",
    32018: "FCIDECOMP",
    32024: "SZ3",
    32026: "Blosc2",
    32028: "SPERR",
}


def load_plugins() -> None:
    """Make the filters of hdf5plugin known to HDF5, if it is installed."""
    with suppress(ImportError):
        import hdf5plugin  # noqa: F401


def check_filters(dataset: Any, place: str) -> None:
    """Return if all filters of a dataset are there. Raises Unreadable, which names the package that brings it."""
    properties = dataset.id.get_create_plist()
    for i in range(properties.get_nfilters()):
        code, _, _, name = properties.get_filter(i)
        if not h5py.h5z.filter_avail(code):
            called = PLUGINS.get(code) or os.fsdecode(name).partition(";")[0] or "unknown"
            raise Unreadable(
                f'{place} is compressed with {called} (filter {code}), which HDF5 does not bring: pip install "hdf5plugin"'
            )


def stored_frames(dataset: Any, place: str) -> Flags:
    """Say which frames, along the first axis, are stored whole. `place` names the dataset in messages.

    Chunks that were never written count, and sources of virtual datasets, and theirs in turn. Raises Incomplete for a
    file that is not there or still being written, Unreadable for a filter that is missing.
    """
    if dataset.is_virtual:
        return _stored_virtual(dataset, place)
    check_filters(dataset, place)
    if dataset.chunks is None:
        return np.full(len(dataset), dataset.id.get_storage_size() > 0)
    return _stored_chunks(dataset)


def may_be_unwritten(dataset: Any) -> bool:
    """Say whether a frame may be in the file though nobody wrote it: its place was taken with that of others."""
    if dataset.is_virtual:
        return True
    early = dataset.id.get_create_plist().get_alloc_time() == h5py.h5d.ALLOC_TIME_EARLY
    return early or dataset.chunks is None or dataset.chunks[0] > 1


def _stored_chunks(dataset: Any) -> Flags:
    """Count the chunks that are there; a frame needs all of those across it."""
    length, chunk = dataset.shape[0], dataset.chunks
    needed = prod(-(-size // part) for size, part in zip(dataset.shape[1:], chunk[1:], strict=True))
    firsts: list[int] = []
    dataset.id.chunk_iter(lambda info: firsts.append(info.chunk_offset[0]))
    there = np.bincount(np.array(firsts, np.int64) // chunk[0], minlength=-(-length // chunk[0]))
    return np.repeat(there >= needed, chunk[0])[:length]


def _stored_virtual(dataset: Any, place: str) -> Flags:
    """Add up what sources cover of each frame; a frame needs all of its values covered by frames that are stored."""
    covered = np.zeros(len(dataset), np.int64)
    for source in dataset.virtual_sources():
        if "%" in source.file_name.replace("%%", ""):
            raise Unreadable(
                f"{place} has numbered sources ({source.file_name}), which are not supported; list them"
            )
        mine = _indices(source.vspace, dataset.shape[0])
        values = _size(source.vspace, len(mine))
        flags = with_source(dataset, source, partial(_flags_of, source.src_space, len(mine)))
        np.add.at(covered, mine[mine < len(covered)], values * flags[mine < len(covered)])
    return covered >= prod(dataset.shape[1:])


def _flags_of(space: Any, number: int, found: Any, place: str) -> Flags:
    """Say of so many frames of a virtual dataset whether a source has them stored.

    A source may have an axis of frames, from which `space` selects; or it is one frame, or a part of one.
    """
    flags, some = stored_frames(found, place), _indices(space, found.shape[0])
    if len(some) != number:
        return np.full(number, bool(flags.all()))
    return np.append(flags, False)[np.minimum(some, len(flags))]


def with_source(dataset: Any, source: Any, ask: Callable[[Any, str], Any]) -> Any:
    """Ask something of the dataset that a virtual one takes frames from. Raises Incomplete if its file is not there."""
    if source.file_name == ".":
        return ask(dataset.file[source.dset_name], f"{dataset.file.filename}:{source.dset_name}")
    main = Path(dataset.file.filename)
    path = find_beside(main, source.file_name)
    check_whole(path)
    with open_hdf5(path) as file:
        if source.dset_name not in file:
            why = f"{main} takes frames from {source.dset_name} in {path}, which has no such dataset"
            raise Incomplete(why, since=path.stat().st_mtime, awaited=(str(path),))
        return ask(file[source.dset_name], f"{path}:{source.dset_name}")


def _size(space: Any, frames: int) -> int:
    """Give how many values of each frame a selection has."""
    if space.get_select_type() == h5py.h5s.SEL_ALL:
        return prod(space.shape[1:])
    if space.is_regular_hyperslab():
        _, _, counts, blocks = space.get_regular_hyperslab()
        return prod(int(count * block) for count, block in zip(counts[1:], blocks[1:], strict=True))
    return space.get_select_npoints() // max(1, frames)


def _indices(space: Any, length: int) -> NDArray[np.int64]:
    """Give the places along the first axis that a selection has, in order."""
    if space.get_select_type() == h5py.h5s.SEL_ALL:
        return np.arange(length)
    if space.is_regular_hyperslab():
        start, stride, count, block = (int(each[0]) for each in space.get_regular_hyperslab())
        count, block = (min(each, length) for each in (count, block))  # either may be unlimited
        return (start + stride * np.arange(count)[:, None] + np.arange(block)).reshape(-1)
    low, high = space.get_select_bounds()
    return np.arange(low[0], high[0] + 1)

"""Names in an HDF5 file that lead elsewhere: the library says that they are there, and raises when they are opened."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import h5py

from penstock.workflows.detector.faults import Incomplete, Unreadable
from penstock.workflows.detector.superblock import check_whole


def open_hdf5(path: Path) -> h5py.File:
    """Open a file to read. Raises Incomplete if another program has locked it, Unreadable if it is damaged.

    Where a file system has no locks, none is asked for: Lustre and NFS are often mounted so.
    """
    try:
        return h5py.File(path, "r", locking="best-effort")
    except BlockingIOError as error:
        why = f"{path} is open in a program that writes it"
        raise Incomplete(why, since=path.stat().st_mtime) from error
    except OSError as error:
        raise Unreadable(f"{path} cannot be opened; it may be damaged: {error}") from error


def find_beside(main: Path, name: str) -> Path:
    """Find a file that another names as HDF5 does: as it is, beside the other, or by its last part beside it."""
    last = main.parent / os.path.basename(name)
    candidates = (main.parent / name, Path(name), last)
    return next((path for path in candidates if path.exists()), main.parent / name)


def follow(file: Any, path: Path, name: str) -> Any:
    """Give the dataset or group of a name. Raises Incomplete if a file that a link leads to is not there or not whole.

    Raises Unreadable if there is no such name, here or there.
    """
    at, parts = file, [part for part in name.split("/") if part]
    for depth, part in enumerate(parts, 1):
        link = at.get(part, getlink=True) if isinstance(at, h5py.Group) and part in at else None
        if link is None:
            here = "/".join(parts[: depth - 1]) or "/"
            inside = ", ".join(sorted(at)[:8]) if isinstance(at, h5py.Group) else "no members"
            raise Unreadable(f"{path} has no {name}; {here} has {inside or 'nothing'}")
        if isinstance(link, h5py.ExternalLink):
            _check_target(path, "/".join(parts[:depth]), link)
        try:
            at = at[part]
        except (KeyError, OSError, RuntimeError) as error:
            aim = getattr(link, "path", "")
            where = getattr(link, "filename", path)
            raise Unreadable(
                f"{path}: {'/'.join(parts[:depth])} leads to {aim} in {where}, which is not there"
            ) from error
    return at


def _check_target(path: Path, name: str, link: Any) -> None:
    """Return if the file that an external link names is whole."""
    target = find_beside(path, link.filename)
    if not target.exists():
        why = f"{path} waits for {link.filename}: {name} is in it, and it is not there"
        raise Incomplete(why, since=path.stat().st_mtime, awaited=(link.filename,))
    check_whole(target)

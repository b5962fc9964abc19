"""One file of a run from those of its subruns: tables and arrays of events, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py

from penstock.workflows.telescope.toy.faults import Unusable
from penstock.workflows.telescope.toy.files import KINDS, about_of, check_camera, find, open_file

MERGED = ("dl1", "dl1ab", "muons", "interleaved", "dl2")
OF_SUBRUN = ("subrun_id", "start")


def merge_files(paths: Sequence[Path], kind: str, product: Path) -> int:
    """Write all events of files of one kind, by subrun; gives their number. The order of `paths` changes nothing.

    Raises Unusable if there is no file, or they are of several cameras or lack what others have.
    """
    if not paths:
        raise Unusable(f"no file with {KINDS[kind]} is there to be merged")
    abouts: dict[Path, dict[str, Any]] = {}
    shapes: dict[Path, dict[str, Any]] = {}
    for path in paths:
        with open_file(path, kind) as file:
            abouts[path] = about_of(file)
            shapes[path] = {name: (made.shape, made.dtype) for name, made in file.items()}
    order = sorted(paths, key=lambda path: (abouts[path].get("run_id", 0), abouts[path].get("subrun_id", 0)))
    first = order[0]
    for path in order[1:]:
        check_camera(first, abouts[first], path, abouts[path])
        _check_alike(first, shapes[first], path, shapes[path])
    about = {name: value for name, value in abouts[first].items() if name not in OF_SUBRUN}
    about |= {"seconds": sum(float(abouts[path].get("seconds", 0)) for path in order), "subruns": len(order)}
    with h5py.File(product, "w", libver=("v110", "v110")) as made:
        made.attrs["kind"] = kind
        made.attrs.update(dict(sorted(about.items())))
        for name in shapes[first]:
            _join(made, name, order, shapes, kind)
    return sum(shapes[path]["events"][0][0] for path in order)


def _join(made: Any, name: str, order: Sequence[Path], shapes: dict[Path, dict[str, Any]], kind: str) -> None:
    (_, *rest), dtype = shapes[order[0]][name]
    rows = [shapes[path][name][0][0] for path in order]
    joined = made.create_dataset(name, (sum(rows), *rest), dtype, track_times=False)
    start = 0
    for path, number in zip(order, rows, strict=True):
        with open_file(path, kind) as file:
            if number:
                joined[start : start + number] = find(file, name)[()]
        start += number


def _check_alike(first: Path, mine: dict[str, Any], path: Path, theirs: dict[str, Any]) -> None:
    alike = {name: (shape[1:], dtype) for name, (shape, dtype) in mine.items()}
    others = {name: (shape[1:], dtype) for name, (shape, dtype) in theirs.items()}
    if alike != others:
        names = ", ".join(sorted(name for name in {*alike, *others} if alike.get(name) != others.get(name)))
        raise Unusable(f"{path} and {first} differ in {names}; make both with the same version")

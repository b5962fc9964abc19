"""A new campaign of trajectories: `penstock.toml`, from where the files are and how they are mapped."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from penstock.errors import DefinitionError
from penstock.workflows.setup.definition import campaign_name, definition_in, write_definition
from penstock.workflows.tracking.definition import Shape, render_definition
from penstock.workflows.tracking.regions import JOINTS, LABEL, find_regions_file
from penstock.workflows.tracking.truth import truth_beside

#: how names of files of trajectories end, in the order in which a folder is looked at
ENDS = (".rpt.txt", ".trxyt", ".xyt", ".xml", ".hdf5", ".h5", ".csv", ".txt")
SOURCE, NAMED = "{source}", re.compile(r"\{(\w+)[^}]*\}")


@dataclass(frozen=True, slots=True)
class Found:
    """The files of a pattern, which is as seen from here; `many` are its fields besides the source."""

    pattern: str
    paths: tuple[Path, ...]
    many: tuple[str, ...]


def find_files(data: str, labels: Sequence[str] = (LABEL,)) -> Found:
    """Find the files that a folder, a pattern with one `*`, or one with {source} means; those of `labels` are of regions.

    Raises DefinitionError.
    """
    pattern = _of_folder(Path(data), labels) if Path(data).is_dir() else data
    if "source" not in NAMED.findall(pattern):
        if pattern.count("*") != 1 or "*" not in Path(pattern).name:
            raise DefinitionError(
                f"the pattern {data!r} does not say what names a source; write it as data/*.rpt.txt, or with {SOURCE}"
            )
        pattern = pattern.replace("*", SOURCE)
    many = tuple(name for name in dict.fromkeys(NAMED.findall(pattern)) if name != "source")
    return Found(pattern, _matching(pattern, labels), many)


def _of_folder(folder: Path, labels: Sequence[str]) -> str:
    for end in ENDS:
        if any(not is_beside(path, labels) for path in folder.glob(f"*{end}")):
            return f"{folder}/{SOURCE}{end}"
    raise DefinitionError(f"{folder} has no file of trajectories ({', '.join(ENDS)}); name a pattern")


def _matching(pattern: str, labels: Sequence[str]) -> tuple[Path, ...]:
    glob = NAMED.sub("*", pattern)
    anchor, parts = (Path(glob).anchor or "."), glob.lstrip("/")
    return tuple(sorted(path for path in Path(anchor).glob(parts) if not is_beside(path, labels)))


def is_beside(path: Path, labels: Sequence[str]) -> bool:
    """Say whether a file is one of regions."""
    return path.suffix == ".txt" and path.stem.endswith(tuple(f"{a}{b}" for a in JOINTS for b in labels))


def companions_of(found: Found, labels: Sequence[str]) -> tuple[str, ...]:
    """Give the files that are beside each one: of its regions, and of its truth. Raises DefinitionError if some lack regions."""
    if found.many or not found.paths:
        return ()
    made: list[str] = []
    stem = found.pattern[: -len(Path(found.pattern).suffix)]
    for label in labels:
        files = {path: find_regions_file(path, label) for path in found.paths}
        joints = {file.stem[-len(label) - 1] for file in files.values() if file}
        if lacking := next((path for path, file in files.items() if file is None), None) if joints else None:
            raise DefinitionError(
                f"{lacking} has no file of regions ({label}) beside it, others have; add one, or map files --whole"
            )
        if len(joints) == 1:  # with both, none is everybody's
            made.append(f"{stem}{joints.pop()}{label}.txt")
    if all(truth_beside(path).exists() for path in found.paths):
        made.append(f"{stem}-truth.json")
    return tuple(made)


def seen_from(folder: Path, path: str) -> str:
    """Give a path of this folder as a campaign in another one names it."""
    whole = os.path.abspath(path)
    inside = os.path.relpath(whole, folder.resolve())
    return whole if inside.startswith("..") else inside


def write_campaign(folder: Path, found: Found, shape: Shape) -> Path:
    """Write `penstock.toml` in `folder` for the files that were found. Raises DefinitionError."""
    from penstock.workflows.tracking.settings import read_loading, read_settings

    definition = definition_in(folder)
    loading, _ = read_loading(shape.tessellate)
    read_settings(shape.infer)
    beside = companions_of(found, loading.regions)
    shape = replace(
        shape,
        companions=tuple(seen_from(folder, each) for each in beside),
        many=found.many,
        labels=loading.regions,
    )
    pattern = seen_from(folder, found.pattern)
    return write_definition(
        definition, render_definition(campaign_name(folder, "trajectories"), pattern, shape)
    )

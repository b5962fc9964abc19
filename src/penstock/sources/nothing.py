"""Why a source gave no unit: one sentence with the nearest thing that is there."""

from __future__ import annotations

import os
from pathlib import Path

from penstock.campaign import Campaign, FileSource, FunctionSource, Source
from penstock.units import Segment


def explain_nothing(source: Source, campaign: Campaign) -> str:
    """Explain why nothing was found, where, and what is there instead."""
    if isinstance(source, FunctionSource):
        return f"the function {source.function} gave no units; check what it looks at"
    if not isinstance(source, FileSource):
        there = "has no rows" if source.path.exists() else "does not exist"
        return f"the table {source.path} {there}; write a header and one line a unit"
    root = Path("/") if source.pattern.absolute else campaign.root
    folder, depth = _deepest(root, source.pattern.segments)
    segment = source.pattern.segments[depth]
    shown = os.path.relpath(folder, campaign.root) if not source.pattern.absolute else str(folder)
    place = f"in {campaign.root}" if shown == "." else f"in {shown!r} below {campaign.root}"
    place = f"in {folder}" if source.pattern.absolute else place
    return f"no files match {source.pattern.text!r}: {place} {_there(folder, segment, source, depth)}"


def _deepest(root: Path, segments: tuple[Segment, ...]) -> tuple[Path, int]:
    """Follow the pattern down while something matches."""
    folder = root
    for depth, segment in enumerate(segments[:-1]):
        fitting = (name for name in _names(folder) if segment.match(name) and (folder / name).is_dir())
        below = next(fitting, None)
        if below is None:
            return folder, depth
        folder = folder / below
    return folder, len(segments) - 1


def _names(folder: Path) -> list[str]:
    try:
        return sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except OSError:
        return []


def _there(folder: Path, segment: Segment, source: FileSource, depth: int) -> str:
    names, is_folder = _names(folder), depth < len(source.pattern.segments) - 1
    if not folder.is_dir():
        return "nothing can be read; correct the folder"
    if not names:
        return "there is nothing; put data there or correct the pattern"
    fitting = [name for name in names if segment.match(name)]
    if fitting and is_folder:
        return f"{fitting[0]!r} is not a folder, and the pattern goes on below it; correct the pattern"
    if fitting:
        return "every file is excluded or badly named; see the problems, or correct the pattern"
    wanted = source.pattern.text.lstrip("/").split("/")[depth]
    from difflib import get_close_matches

    near = (get_close_matches(wanted, names, n=1, cutoff=0.0) or names)[0]
    return f"the nearest to {wanted!r} is {near!r} (of {len(names)}); correct the pattern"

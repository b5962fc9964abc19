"""One file of a run from those of its subruns: all events, by subrun."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from penstock.workflows.stores.merging import Unmergeable, merge_events
from penstock.workflows.telescope.toy.faults import Unusable
from penstock.workflows.telescope.toy.files import KINDS, about_of, open_file

MERGED = ("dl1", "dl1ab", "muons", "interleaved", "dl2")
OF_SUBRUN = ("subrun_id", "start", "seconds")


def merge_files(paths: Sequence[Path], kind: str, product: Path) -> int:
    """Write all events of files of one kind, by subrun; gives their number. The order of `paths` changes nothing.

    Raises Unusable if there is no file, or they are of several runs or cameras, or lack what others have.
    """
    if not paths:
        raise Unusable(f"no file with {KINDS[kind]} is there to be merged")
    found = list[tuple[int, Path, float]]()
    for path in paths:
        with open_file(path, kind) as file:
            about = about_of(file)
        found.append((about.get("subrun_id", 0), path, float(about.get("seconds", 0))))
    found.sort()
    together = {"seconds": sum(seconds for *_, seconds in found), "subruns": len(found)}
    try:
        members = [path for _, path, _ in found]
        return merge_events(members, product, varying=OF_SUBRUN, attributes=together)["/"]
    except Unmergeable as error:
        raise Unusable(str(error)) from error

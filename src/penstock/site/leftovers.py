"""What killed runners left beside products and in scratch, by the names of their jobs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from penstock.ledger import FOLDER
from penstock.runner.files import remove, remove_empty

TICK_S = 0.1  # between the two times that a rename sets, of the inode and of the folder that it leaves


def remove_leftovers(root: Path, folders: Iterable[str], token: str, elements: Sequence[int]) -> None:
    """Remove the private folders of elements of a job beside the products in these folders."""
    for name in folders:
        private = root / name / FOLDER
        for leftover in left_by(private.glob(f"{token}.*"), token, elements):
            remove(str(leftover))
        remove_empty(str(private))


def scratch_of(root: Path, token: str, elements: Sequence[int]) -> list[Path]:
    """Return the scratch folders of elements of a job."""
    return left_by((root / FOLDER / "scratch").glob(f"{token}.*"), token, elements)


def left_by(paths: Iterable[Path], token: str, elements: Sequence[int]) -> list[Path]:
    """Return those private folders (`<token>.<element>.<life>…`) that are of these elements."""
    tags = {f"{token}.{element}" for element in elements}
    return [path for path in paths if ".".join(path.name.split(".")[:2]) in tags]


def may_be_of(path: Path, life: str, since: float) -> bool:
    """Whether a life (`<token>.<element>.<life>`) may have given what lies at a path its name, after a time of the file server.

    What its last rename to this folder preceded is somebody else's; without its private folder there was none.
    """
    try:
        came = path.lstat().st_ctime
        held = [folder.lstat().st_mtime for folder in (path.parent / FOLDER).glob(f"{life}.*.done")]
    except OSError:
        return False
    return since < came <= max(held, default=0.0) + TICK_S

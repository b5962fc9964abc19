"""Deleting a sweep: what penstock made goes, what people put there stays, and nothing that another sweep needs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from penstock.errors import DefinitionError, NothingYet, PenstockError
from penstock.workflows.setup.definition import FILE as DEFINITION
from penstock.workflows.sweep.analysis import FOLDER as ANALYSIS
from penstock.workflows.sweep.belongings import files_of_sweep
from penstock.workflows.sweep.campaign import INPUTS, JOB, PAGE, TABLE
from penstock.workflows.sweep.columns import FILE as COLUMNS
from penstock.workflows.sweep.draft import DRAFT
from penstock.workflows.sweep.listing import find_sweeps
from penstock.workflows.sweep.points import FILE as POINTS
from penstock.workflows.sweep.program import READY
from penstock.workflows.sweep.results import REST, RUNS
from penstock.workflows.sweep.submitting import FAILED, SUBMITTED
from penstock.workflows.sweep.sweep import FILE, read_sweep
from penstock.workflows.sweep.tablefile import METADATA

#: what penstock made, the sweep itself last, so that a deletion that was cut off can be begun again
MADE = (
    RUNS, REST, FAILED, "restart", INPUTS, ANALYSIS, TABLE, TABLE + METADATA, PAGE, ".penstock", POINTS, COLUMNS, SUBMITTED, JOB,
    DRAFT, DEFINITION, FILE,
)  # fmt: skip


class Deletion(NamedTuple):
    """What deleting a sweep takes away, and what stays in its folder."""

    folder: Path
    gone: Sequence[Path]
    stays: Sequence[Path]


def plan_deletion(folder: Path) -> Deletion:
    """Return what would be deleted. Raises DefinitionError while it is at work, or if another sweep needs it."""
    if not (folder / FILE).exists():
        raise DefinitionError(f"there is no sweep in {folder}; name the folder of one")
    _refuse_at_work(folder)
    gone = [path for path in (*brought(folder), *(folder / name for name in MADE)) if path.exists()]
    real = [path for path in gone if not path.is_symlink()]  # of a link, what it leads to stays
    for other in _others(folder):
        for needed in _needs(other):
            if hit := next((path for path in real if needed.is_relative_to(path.resolve())), None):
                raise DefinitionError(
                    f"the sweep in {other} needs {needed}, so {hit} stays; delete that sweep first"
                )
    known = {path.name for path in gone}
    return Deletion(folder, gone, [path for path in sorted(folder.iterdir()) if path.name not in known])


def brought(folder: Path) -> list[Path]:
    """Return the sources of a ready-made program that are in a sweep as they were brought there."""
    with suppress(PenstockError):
        program = read_sweep(folder / FILE).program
        places = [(program.file.parent / name, folder / name) for name in program.sources]
        return [place for source, place in places if READY in source.parents and is_same(source, place)]
    return []


def is_same(one: Path, other: Path) -> bool:
    """Whether two files have the same content."""
    return other.is_file() and one.read_bytes() == other.read_bytes()


def delete(deletion: Deletion) -> None:
    """Delete it; the folder, too, if nothing else is in it."""
    for path in deletion.gone:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    with suppress(OSError):  # something stays
        deletion.folder.rmdir()


def _refuse_at_work(folder: Path) -> None:
    from penstock import record

    with suppress(NothingYet), record.open(folder) as opened:
        status = opened.status(problems=0)
        if status.driver or status.jobs:
            raise DefinitionError(
                f"the sweep in {folder} is at work; stop it with `penstock down` and `penstock cancel`, then delete it"
            )


def _others(folder: Path) -> Iterator[Path]:
    """Yield the sweeps near a sweep: beside it, and in its folder."""
    for place in (folder.resolve().parent, *(path for path in folder.iterdir() if path.is_dir())):
        yield from (path for path in find_sweeps(place) if path.resolve() != folder.resolve())


def _needs(folder: Path) -> Iterator[Path]:
    """Yield what a sweep reads and has, wherever that is; of one that cannot be read, what it has."""
    yield from (path.resolve() for name in MADE if (path := folder / name).exists())
    with suppress(PenstockError):
        yield from (path.resolve() for path in files_of_sweep(read_sweep(folder / FILE)))

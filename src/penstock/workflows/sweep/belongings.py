"""The files of people that a sweep needs besides its own, and taking them to another folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from penstock.errors import DefinitionError
from penstock.workflows.sweep.program import Program
from penstock.workflows.sweep.sweep import FILE, Sweep, read_sweep


def files_of_program(program: Program, folder: Path) -> Iterator[Path]:
    """Yield what a program needs in the folder of a sweep: its file, its inputs, what is started and stands beside."""
    yield program.file
    yield from (template.file for template in program.inputs)
    yield from (
        folder / name
        for name in (program.executable, *program.beside, *program.sources)
        if (folder / name).exists()
    )


def files_of_sweep(sweep: Sweep) -> Iterator[Path]:
    """Yield what a sweep needs besides its own file."""
    yield from files_of_program(sweep.program, sweep.file.parent)
    if sweep.table and sweep.table.exists():
        yield sweep.table
    functions = [each.rule["python"] for each in sweep.program.results.values() if "python" in each.rule]
    for reference in (*functions, *([sweep.more] if sweep.more else [])):
        if (module := sweep.file.with_name(f"{reference.partition(':')[0]}.py")).exists():
            yield module


def copy_files(files: Iterable[Path], folder: Path, new: Path) -> None:
    """Copy what is in a folder to the same place in another; what is elsewhere stays where it is."""
    root = folder.resolve()
    for path in files:
        if path.resolve().is_relative_to(root):
            place = new / path.resolve().relative_to(root)
            place.parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir():
                shutil.copytree(path, place, dirs_exist_ok=True)
            else:
                shutil.copy2(path, place)


def copy_sweep(folder: Path, new: Path) -> Path:
    """Copy a sweep to run it afresh, with results of its own: its file and what it needs. Raises DefinitionError."""
    if (new / FILE).exists():
        raise DefinitionError(f"there is a sweep in {new} already; choose another folder")
    copy_files(files_of_sweep(read_sweep(folder / FILE)), folder, new)
    new.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copy(folder / FILE, new / FILE))

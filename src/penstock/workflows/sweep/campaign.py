"""A campaign of a sweep: its points as units, a folder of inputs each, and the stages that run and gather."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from penstock.errors import DefinitionError, NothingYet
from penstock.workflows.setup.definition import campaign_name, definition_in, table, write_definition
from penstock.workflows.sweep.columns import columns_of, write_columns
from penstock.workflows.sweep.plan import Plan, plan_sweep
from penstock.workflows.sweep.points import (
    DIGEST,
    NAME,
    PLANNED,
    Point,
    Points,
    count_changes,
    extend,
    read_points,
    write_points,
)
from penstock.workflows.sweep.points import FILE as POINTS
from penstock.workflows.sweep.program import Program, find_program
from penstock.workflows.sweep.programfile import read_program
from penstock.workflows.sweep.results import REST, RUNS
from penstock.workflows.sweep.sweep import FILE, HINT, read_sweep
from penstock.workflows.sweep.tablefile import METADATA
from penstock.workflows.sweep.value import Value

JOB, JOB_SPEC = "job.py", "job.jsonl"
INPUTS = "inputs"
TABLE, PAGE = "results.csv", "index.html"


@dataclass(frozen=True, slots=True)
class Laid:
    """What a sweep became: its plan, and how many points are new, kept and dropped."""

    plan: Plan
    changes: Mapping[str, int]


def begin_campaign(folder: Path, program: str, *, executable: str | None = None) -> Path:
    """Write `penstock.toml` for a program, and a `sweep.toml` to edit unless there is one. Raises DefinitionError."""
    definition = definition_in(folder)
    found = read_program(find_program(program, folder))
    if executable:
        found = replace(found, executable=executable, sources=(), build=())
    tables = campaign_tables(campaign_name(folder, "sweep"), found)
    first = None if (folder / FILE).exists() else first_sweep(found, program)
    folder.mkdir(parents=True, exist_ok=True)
    for source in found.sources:
        bring_source(found.file.parent / source, folder / source)
    shutil.copy(Path(__file__).with_name(JOB), folder / JOB)
    (folder / JOB).chmod(0o755)
    if first is not None:
        (folder / FILE).write_text(first, encoding="utf-8")
    return write_definition(definition, tables)


def bring_source(source: Path, place: Path) -> None:
    """Copy a source of a ready-made program into a campaign that does not have it."""
    if source.is_file() and not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, place)


def first_sweep(program: Program, name: str) -> str:
    """Return a sweep to edit: the first variable with its default alone, and the names of all."""
    defaults = {key: value for key, value in program.defaults().items() if key in program.used}
    if not defaults:
        raise DefinitionError(f"no variable of the program {name} has a default; give one in {program.file}")
    first = next((key for key in defaults if key != program.seed), next(iter(defaults)))
    return "\n".join(
        [
            table("sweep", {"program": name, "mode": "grid"}),
            table("vary", {first: [defaults[first].text]}, note=HINT),
        ]
    )


def campaign_tables(name: str, program: Program) -> list[str]:
    """Return the tables of the definition; the command names the executable, so that another one makes results stale."""
    built = re.sub(r"\W", "_", program.file.stem, flags=re.ASCII)
    executable = f"{{program.{built}}}" if program.build else program.executable
    units = {"table": POINTS, "types": {PLANNED: "bool"}, "derive": {"path": f"'{INPUTS}/' + {NAME}"}}
    made: dict[str, Any] = {"product": {"path": f"{RUNS}/{{{NAME}}}", "folder": True}}
    home, rest, after = "{product}", "{product}", ["run"]
    if program.fetch:
        made["rest"] = {"path": f"{REST}/{{{NAME}}}", "folder": True, "optional": True, "fetch": False}
        home, rest, after = "{product.product}", "{product.rest}", [{"stage": "run", "products": ["product"]}]
    run = {
        "each": NAME,
        "where": PLANNED,
        "command": ["{python}", JOB, "{path}", home, rest, executable, f"{{{DIGEST}}}", *program.launcher],
        "products": made,
        "needs": [*program.beside] or None,
        "scratch": True,
        "resources": {"cpus": program.cpus} if program.cpus else None,
        "success": {"log": program.success} if program.success else None,
    }
    results: dict[str, Any] = {
        "each": "campaign",
        "after": after,
        "members": "done",
        "python": "penstock.workflows.sweep.report:gather",
        "site": "local",  # wherever the points run: what it needs beside them is here
        "products": {"table": TABLE, "columns": TABLE + METADATA, "page": PAGE},
    }
    return [
        table("campaign", {"name": name, "levels": [NAME]}),
        table("units", units),
        *([table(f"program.{built}", how_built(program))] if program.build else []),
        table("stage.run", run),
        table("stage.results", results),
    ]


def how_built(program: Program) -> Mapping[str, Any]:
    """Return the table that says how the executable of a program is built."""
    return {"sources": [*program.sources], "build": [*program.build], "executable": program.executable}


def plan_changes(folder: Path) -> Laid:
    """Plan the sweep of a campaign and compare it with its points; nothing is written. Raises DefinitionError."""
    return _laid(folder)[0]


def lay_out(folder: Path) -> Laid:
    """Plan the sweep of a campaign, write the inputs of its points, add new points to the table.

    Raises DefinitionError, with file and line, before anything is written.
    """
    laid, old, points = _laid(folder)
    program, names = laid.plan.program, points.names
    rendered = [
        point._replace(digest=write_inputs(folder / INPUTS / point.name, program, values_of(names, point)))
        if point.planned
        else point
        for point in points.points
    ]
    write_points(folder / POINTS, Points(names, rendered))
    new_columns = write_columns(folder, columns_of(program))
    if new_columns or _returned(old, points):
        _redo_results(folder)
    return laid


def _returned(old: Points, new: Points) -> bool:
    """Whether a point that was there is planned no more, or again."""
    return any(one.planned != two.planned for one, two in zip(old.points, new.points, strict=False))


def _redo_results(folder: Path) -> None:
    """Have the table of results made again, if it is there: other points are in it, though none of them is new."""
    from penstock import record

    with suppress(NothingYet), record.open(folder) as opened:
        if any(task.state == "done" for task in opened.tasks("results")):
            opened.ask("redo", stage="results", why="other points are planned")


def read_campaign(folder: Path) -> Points:
    """Read the points of a campaign as its program knows them today. Raises DefinitionError."""
    return read_points(folder / POINTS, read_sweep(folder / FILE).program)


def _laid(folder: Path) -> tuple[Laid, Points, Points]:
    plan = plan_sweep(read_sweep(folder / FILE))
    old = read_points(folder / POINTS, plan.program)
    new = extend(old, plan)
    return Laid(plan, count_changes(old, new)), old, new


def values_of(names: Sequence[str], point: Point) -> dict[str, Value]:
    """Return the value of each variable at a point."""
    return dict(zip(names, point.values, strict=True))


def write_inputs(folder: Path, program: Program, values: Mapping[str, Value]) -> str:
    """Write what a point's job reads and return the digest of what it is made of; a file that is as it should be stays.

    How numbers are taken out is a line of its own: another rule makes no result stale.
    """
    contents = program.render(values)
    arguments = program.argv(values)[1:]
    spec = {
        "arguments": arguments,
        "inputs": {name: digest_of(content) for name, content in contents.items()},
        "folders": program.folders,
        "beside": program.beside,
        "products": program.products,
        **({"fetch": program.fetch} if program.fetch else {}),
        "log": program.log,
        "restart": {"args": arguments, **program.restart} if program.restart else None,
    }
    made_of, rules = (json.dumps(each, ensure_ascii=False).encode() for each in (spec, program.rules))
    contents[JOB_SPEC] = made_of + b"\n" + rules + b"\n"
    write = write_file if make_folder(folder) else write_unless_same
    for name, content in contents.items():
        write(f"{folder}/{name}", content)
    return digest_of(made_of)


def make_folder(folder: Path) -> bool:
    """Make a folder; whether it is new."""
    try:
        os.mkdir(folder)
    except FileExistsError:
        return False
    except FileNotFoundError:
        folder.mkdir(parents=True)
    return True


def write_unless_same(file: str, content: bytes) -> None:
    """Write a file unless it has that content."""
    try:
        with open(file, "rb") as opened:
            if opened.read() == content:
                return
    except FileNotFoundError:
        pass
    write_file(file, content)


def write_file(file: str, content: bytes) -> None:
    """Write a file, and the folders that are in its name."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(file))
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    with open(descriptor, "wb", buffering=0) as opened:
        opened.write(content)


def digest_of(content: bytes) -> str:
    """Return what stands for a content."""
    return hashlib.sha256(content).hexdigest()

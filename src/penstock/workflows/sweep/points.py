"""The table of a sweep's points, which only grows: rows of full exact values, and the name that each got for good."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from penstock.errors import DefinitionError
from penstock.workflows.sweep.cells import line, read_rows
from penstock.workflows.sweep.design import Row
from penstock.workflows.sweep.plan import Plan
from penstock.workflows.sweep.program import Program
from penstock.workflows.sweep.value import Value

FILE = "points.csv"
NAME, PLANNED, DIGEST = HEAD = "point", "planned", "digest"
LABEL, HASH = 60, 12  # letters; names that meet in spite of it are told apart
MISSING = Value("", "", "\0")
"""What a point has of a variable that its program did not have; an empty text is something else."""

_UNSAFE = re.compile(r"[^A-Za-z0-9.+-]")


class Point(NamedTuple):
    """A point: its name, its values, whether the sweep of today has it, and the digest of the inputs that it got."""

    name: str
    values: Row
    planned: bool
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Points:
    """All points that a sweep ever had, in the order in which they came; `names` are those of their values."""

    names: tuple[str, ...] = ()
    points: Sequence[Point] = ()

    def planned(self) -> Iterator[Point]:
        """Yield the points of today's sweep."""
        return (point for point in self.points if point.planned)


def extend(old: Points, plan: Plan) -> Points:
    """Return the table with the points of a plan: those that are there keep name and place, others come after them.

    A point that the plan has no more stays, not planned. A variable that is new gives older points its
    default, for that is what they were run with.
    """
    names = (*old.names, *(n for n in (*plan.names, *plan.constants) if n not in old.names))
    wanted = {tuple([value.identity for value in row]): row for row in plan.rows}
    identify = _identifier(plan, names)
    kept = [(point, identify(point.values)) for point in _completed(old, names, plan)]
    points = [point._replace(planned=identity in wanted) for point, identity in kept]
    for _, identity in kept:
        if identity is not None:
            wanted.pop(identity, None)
    labels = _names(plan, wanted.values(), {point.name.casefold() for point in points})
    full = _filler(plan, names)
    points += [Point(label, full(row), True) for label, row in zip(labels, wanted.values(), strict=True)]
    return Points(names, points)


def _identifier(plan: Plan, names: Sequence[str]) -> Callable[[Row], tuple[str, ...] | None]:
    """Return what tells what varies in a point's row; None if it differs from the plan in what does not vary."""
    columns = [names.index(name) for name in plan.names]
    others = [
        (number, plan.constants.get(name, MISSING).identity)
        for number, name in enumerate(names)
        if name not in plan.names
    ]

    def identify(row: Row) -> tuple[str, ...] | None:
        if any(row[number].identity != identity for number, identity in others):
            return None
        return tuple([row[column].identity for column in columns])

    return identify


def _completed(old: Points, names: Sequence[str], plan: Plan) -> Sequence[Point]:
    """Give older points a value for what they do not have."""
    usual = plan.program.defaults()
    added = tuple(usual.get(name, MISSING) for name in names[len(old.names) :])
    return [point._replace(values=point.values + added) for point in old.points] if added else old.points


def _filler(plan: Plan, names: Sequence[str]) -> Callable[[Row], Row]:
    """Return what makes the whole row of one that has what varies."""
    constants = [plan.constants.get(name, MISSING) for name in names]
    columns = [names.index(name) for name in plan.names]

    def fill(row: Row) -> Row:
        whole = constants.copy()
        for column, value in zip(columns, row, strict=True):
            whole[column] = value
        return tuple(whole)

    return fill


def _names(plan: Plan, rows: Iterable[Row], taken: set[str]) -> Iterator[str]:
    """Yield a name for each of these rows: what varies, readable, and letters that follow from the whole row.

    The letters are small ones and digits, so that names differ where a file system folds case, too.
    """
    digest = _digester(plan)
    pieces: list[dict[str, str]] = [{} for _ in plan.names]
    for row in rows:
        label, salt = _label(plan.names, row, pieces), 0
        name = f"{label}-{digest(row, salt)}"
        while name.casefold() in taken:
            salt += 1
            name = f"{label}-{digest(row, salt)}"
        taken.add(name.casefold())
        yield name


def _label(names: Sequence[str], row: Row, pieces: Sequence[dict[str, str]]) -> str:
    """Write what varies as part of a file name, as far as there is room: `T=0.1_p=5`."""
    label = ""
    for name, value, known in zip(names, row, pieces, strict=True):
        piece = known.get(value.text)
        if piece is None:
            piece = known[value.text] = f"{name}={_UNSAFE.sub('_', value.text)}"
        longer = f"{label}_{piece}" if label else piece[:LABEL]
        if len(longer) > LABEL:
            break
        label = longer
    return label


def _digester(plan: Plan) -> Callable[[Row, int], str]:
    """Return what digests a row with all that does not vary, whatever the order of the variables."""
    varied = {name: number for number, name in enumerate(plan.names)}
    parts = [
        f"{name}=%s" if name in varied else f"{name}={plan.constants[name].identity}".replace("%", "%%")
        for name in sorted({*varied, *plan.constants})
    ]
    pattern, order = "\n".join(parts), [varied[name] for name in sorted(varied)]

    def digest(row: Row, salt: int) -> str:
        text = pattern % tuple([row[number].identity for number in order])
        return sha256((f"{text}\n{salt}" if salt else text).encode()).hexdigest()[:HASH]

    return digest


def write_points(file: Path, points: Points) -> None:
    """Write the table, whole or not at all."""
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with temporary.open("w", encoding="utf-8", newline="") as opened:
            writer = csv.writer(opened, lineterminator="\n")
            writer.writerow((*HEAD, *points.names))
            for name, values, planned, digest in points.points:
                head, texts = (name, "true" if planned else "false", digest or None), [v.text for v in values]
                if "" in texts:
                    opened.write(line([*head, *map(_written, values)]))
                else:
                    writer.writerow([*head, *texts])
            opened.flush()
            os.fsync(opened.fileno())
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)


def _written(value: Value) -> str | None:
    return None if value.identity == MISSING.identity else value.text


def read_points(file: Path, program: Program) -> Points:
    """Read the table; an empty one if there is none yet. Raises DefinitionError, with the line."""
    try:
        with file.open(encoding="utf-8", newline="") as opened:
            rows = read_rows(opened)
            header = tuple(map(str, next(rows, ())))
            if header[:3] != HEAD or len(set(header)) < len(header):
                message = f"the table of points does not begin with {','.join(HEAD)}; restore it"
                raise DefinitionError(message, file=file, line=1)
            return Points(header[3:], _read_rows(rows, header, program, file))
    except FileNotFoundError:
        return Points()
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DefinitionError(f"the table of points cannot be read: {error}; restore it", file=file) from None


def _read_rows(
    rows: Iterable[Sequence[str | None]], header: Sequence[str], program: Program, file: Path
) -> list[Point]:
    known: list[dict[str | None, Value]] = [{None: MISSING} for _ in header[3:]]
    points, names = list[Point](), set[str]()
    for number, cells in enumerate(rows, 2):
        what = "has another number of cells than the header" if len(cells) != len(header) else None
        name, planned, digest = (cell or "" for cell in cells[:3]) if what is None else ("", "", "")
        if what or name in names:
            message = f"the point {cells[:1]} {what or 'is there twice'}; restore the table"
            raise DefinitionError(message, file=file, line=number)
        names.add(name)
        values = [
            values.get(cell) or values.setdefault(cell, _read(program, variable, cell or ""))
            for variable, cell, values in zip(header[3:], cells[3:], known, strict=True)
        ]
        points.append(Point(name, tuple(values), planned == "true", digest))
    return points


def _read(program: Program, name: str, text: str) -> Value:
    """Read a value; one that its variable could not have today stays a text of its own."""
    variable = program.variables.get(name)
    if variable is None:
        return Value(text, text, text)
    try:
        return variable.parse(text)
    except ValueError:
        return Value(text, text, f"?{text}")


def count_changes(old: Points, new: Points) -> Mapping[str, int]:
    """Count the points that are new, that are there, and that are planned no more."""
    before, after = {p.name for p in old.planned()}, {p.name for p in new.planned()}
    return {
        "new": len(after) - len(before & after),
        "kept": len(before & after),
        "dropped": len(before - after),
    }


def say_changes(changes: Mapping[str, int]) -> str:
    """Say how the points of a campaign change."""
    return (
        f"{changes['new']:,} new, {changes['kept']:,} there already, {changes['dropped']:,} no more planned"
    )

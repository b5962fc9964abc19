"""From what a person types to units and stages."""

from __future__ import annotations

import difflib
import json
import os
import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from fnmatch import translate
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.display import Labels
from penstock.errors import DefinitionError
from penstock.units import CAMPAIGN, Value, canonical, parse_key

if TYPE_CHECKING:
    from penstock.ledger import Ledger

ROOT = 1  # the unit that is the whole campaign
_NEAR = 2000  # names that are compared when none fits


def find_stage(db: sqlite3.Connection, name: str) -> sqlite3.Row:
    """Return the row of a stage; DefinitionError names the nearest ones if there is none."""
    row = db.execute("SELECT * FROM stage WHERE name = ?", (name,)).fetchone()
    if row is None:
        known = [stage[0] for stage in db.execute("SELECT name FROM stage ORDER BY position")]
        raise DefinitionError(f"no stage is called {name!r}: {_nearest(name, known, 'the stages are')}")
    return row


def find_units(ledger: Ledger, text: str, stage: str | None = None) -> list[int]:
    """Return the ids of the units that `text` names: a unit, a group, a pattern with `*`, a file, a product.

    With `stage`, they are units at that stage's level: those of a group, or the group of a unit. The campaign itself is
    `campaign` or `/`; the former is a unit where one is called so.

    Example: `find_units(ledger, "2020-01-17/*", "calibrate")`.

    Raises DefinitionError if there is none; it names the nearest ones.
    """
    db = ledger.db
    labels = Labels.read(db)
    level = None if stage is None else int(find_stage(db, stage)["level"])
    name = text.rstrip("/")
    found = _by_name(db, labels, name) or _by_pattern(db, labels, name) or _by_file(db, ledger.root, text)
    if not found:
        raise DefinitionError(_explain_missing(db, labels, text))
    return found if level is None else _at_level(db, found, level)


def find_under(ledger: Ledger, text: str) -> list[int]:
    """Return the units that `text` names, and all that are in them."""
    db, found = ledger.db, find_units(ledger, text)
    own = int(db.execute("SELECT level FROM unit WHERE id = ?", (found[0],)).fetchone()[0])
    deepest = len(Labels.read(db).levels)
    return [unit for level in range(own, deepest + 1) for unit in _at_level(db, found, level)]


def find_children(db: sqlite3.Connection, labels: Labels, group: str) -> Iterator[str]:
    """Yield the keys of what is right under the group of that name; nothing if there is no such group."""
    for unit in _by_name(db, labels, group):
        level = int(db.execute("SELECT level FROM unit WHERE id = ?", (unit,)).fetchone()[0]) + 1
        yield from (row[0] for row in db.execute(f"SELECT key FROM unit WHERE {_members(db, unit, level)}"))


def _by_name(db: sqlite3.Connection, labels: Labels, name: str) -> list[int]:
    if name in ("", labels.root):
        return [ROOT]
    try:
        values = (name,) if name == CAMPAIGN else parse_key(name, labels.levels, labels.types, labels.formats)
    except DefinitionError:
        return []
    keys = json.dumps([canonical(values), canonical(_numbered(values, labels))])
    sql = "SELECT id FROM unit WHERE level = ? AND key IN (SELECT value FROM json_each(?))"
    return [row[0] for row in db.execute(sql, (len(values), keys))]


def _numbered(values: Sequence[Value], labels: Labels) -> Sequence[Value]:
    """Read what looks like a number as one at levels without a type, as of units that a stage or a function made."""
    return [
        int(value)
        if type(value) is str and re.fullmatch("0|[1-9][0-9]*", value) and level not in labels.types
        else value
        for value, level in zip(values, labels.levels, strict=False)
    ]


def _by_pattern(db: sqlite3.Connection, labels: Labels, name: str) -> list[int]:
    """Match part by part, so that only the groups that fit are looked into."""
    parts = name.split("/")
    if not set("*?[") & set(name) or len(parts) > len(labels.levels):
        return []
    found = [ROOT]
    for level, part in enumerate(parts, 1):
        if set("*?[") & set("/".join(parts[:level])):
            found = [unit for group in found for unit in _children_like(db, labels, group, level, part)]
        else:
            found = _by_name(db, labels, "/".join(parts[:level]))
    return found


def _children_like(db: sqlite3.Connection, labels: Labels, group: int, level: int, part: str) -> list[int]:
    show, matches = labels.writer(level), re.compile(translate(part)).match
    rows = db.execute(f"SELECT id, key FROM unit WHERE {_members(db, group, level)}")
    return [row[0] for row in rows if matches(show(json.loads(row[1])[-1]))]


def _members(db: sqlite3.Connection, group: int, level: int) -> str:
    """The condition for the units of `group` at `level`; written so that its index is used."""
    own = int(db.execute("SELECT level FROM unit WHERE id = ?", (group,)).fetchone()[0])
    if own == 0 or own == level:
        return f"level = {level}" if own == 0 else f"id = {group}"
    return f"g{own} = {group} AND level > {own} AND level = {level}"


def _by_file(db: sqlite3.Connection, root: Path, text: str) -> list[int]:
    """Look for a product, then for an input; the path may start at the campaign, here, or at /."""
    from penstock.ledger.moved import present_paths

    paths = {text, text.removeprefix("./")}
    paths.add(os.path.abspath(text))
    with suppress(ValueError):
        paths.add(str(Path(os.path.abspath(text)).relative_to(root)))
    paths.update(present_paths(db, paths))
    marks = ", ".join("?" * len(paths))
    made = db.execute(f"SELECT unit FROM product WHERE path IN ({marks})", (*paths,)).fetchall()
    used = made or db.execute(
        f"SELECT id FROM unit WHERE json_extract(fields, '$.path') IN ({marks})", (*paths,)
    )
    return [row[0] for row in used]


def _at_level(db: sqlite3.Connection, units: Iterable[int], level: int) -> list[int]:
    found: dict[int, None] = {}
    for unit in units:
        row = db.execute("SELECT * FROM unit WHERE id = ?", (unit,)).fetchone()
        if row["level"] > level:
            found[row[f"g{level}"] if level else 1] = None
        else:
            members = db.execute(f"SELECT id FROM unit WHERE {_members(db, unit, level)}")
            found.update((member[0], None) for member in members)
    return list(found)


def _explain_missing(db: sqlite3.Connection, labels: Labels, text: str) -> str:
    group, _, last = text.rstrip("/").rpartition("/")
    unsettled = (row[0] for row in db.execute("SELECT path FROM settling ORDER BY path"))
    if path := next((path for path in unsettled if last in path.rpartition("/")[2]), None):
        return f"no unit is called {text!r} yet: {path} is still being written"
    siblings = find_children(db, labels, group) if group else ()
    similar = db.execute("SELECT key FROM unit WHERE instr(key, ?) LIMIT 50", (last,))
    others = db.execute("SELECT key FROM unit WHERE level > 0 ORDER BY level DESC, id LIMIT ?", (_NEAR,))
    keys = (*islice(siblings, _NEAR), *(row[0] for row in (*similar, *others)))
    known = list(dict.fromkeys(map(labels.label, keys)))
    if not known:
        return f"no unit is called {text!r}: there are none yet, `penstock run` finds them"
    return f"no unit is called {text!r}: {_nearest(text, known, 'there are')} (all: `penstock units`)"


def _nearest(text: str, known: list[str], otherwise: str) -> str:
    near = [name for name in known if text in name][:3] or difflib.get_close_matches(text, known, 3, 0.5)
    return (
        f"do you mean {' or '.join(near)}?"
        if near
        else f"{otherwise} {', '.join(known[:3])}" + " …" * (len(known) > 3)
    )

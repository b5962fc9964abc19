"""Units in the ledger: discovery is the difference between what exists and what is recorded."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

from penstock.campaign import Campaign
from penstock.errors import DefinitionError
from penstock.ledger.absent import count_living, find_gone, living_in
from penstock.sources import Found
from penstock.units import canonical, compact, identities, show_key

ROOT = 1

MOST_SHOWN = 40  # characters of a value

SIZE = re.compile(r"(\d+):\d+$")  # of the fingerprint of one file

_read = json.JSONDecoder().raw_decode


def parse(text: str) -> Any:
    """Read JSON that penstock wrote itself: nothing stands around it."""
    return _read(text)[0]


class Change(NamedTuple):
    """What a unit was and is now: its fields, and the fingerprints of its files where they differ."""

    unit: int
    old: Mapping[str, Any]
    new: Mapping[str, Any]
    names: Sequence[str] = ()  # of the fields that are others now; their order is nothing
    files: tuple[str, str] | None = None

    def tell(self, name: str) -> str:
        """Describe how a field changed."""
        if name not in self.old:
            return f"{name} is new: {show_value(self.new[name])}"
        if name not in self.new:
            return f"{name} was removed: it was {show_value(self.old[name])}"
        return f"{name} changed: {show_value(self.old[name])} → {show_value(self.new[name])}"


class Difference(NamedTuple):
    """What a scan of one source changed: ids of units."""

    present: int
    new: int
    new_after: int  # ids above it are new
    changed: Sequence[Change] = ()
    gone: Sequence[int] = ()
    back: Sequence[int] = ()
    suspicious: int = 0  # units that seem lost, too many at once to be believed
    level: int = 0
    at: float = 0.0
    same: bool = False  # the scan found just what the record has


def stage_found(db: sqlite3.Connection, level: int, found: Iterable[Found]) -> int:
    """Write what a scan yields into the level's staging table and return how many there were.

    That table is in the connection's own temporary database: filling it holds up nobody. It is cleared here, before
    the next scan, and not in the transaction that reads it: that may be rolled back, and the table has no journal.
    Raises DefinitionError if two have one key.
    """
    columns = [*(f"p{n}" for n in range(1, level)), "key", "fields", "fingerprint"]
    types = ", ".join(f"{name} TEXT" for name in columns)
    db.execute(
        f"CREATE TEMP TABLE IF NOT EXISTS found{level} ({types}, resting INTEGER DEFAULT 1, PRIMARY KEY (key))"
        " WITHOUT ROWID"
    )
    db.execute(f"DELETE FROM found{level}")
    marks = ", ".join("?" for _ in columns)
    insert = f"INSERT INTO found{level} ({', '.join(columns)}) VALUES ({marks})"
    try:
        return db.executemany(insert, staged(found)).rowcount
    except sqlite3.IntegrityError as error:
        raise DefinitionError(
            "two of the units found have the same key: add a field to the pattern that distinguishes them"
        ) from error


def staged(found: Iterable[Found]) -> Iterator[tuple[str, ...]]:
    """Yield the row of each found unit: the keys of its groups, its own, its fields."""
    for unit in found:
        yield (*identities(unit.key), compact(unit.fields), unit.fingerprint)


def stage_unsettled(db: sqlite3.Connection, level: int, keys: Iterable[Sequence[Any]]) -> None:
    """Note keys whose files exist but are not at rest: neither new nor gone."""
    rows = ((canonical(key),) for key in keys)
    db.executemany(f"INSERT OR IGNORE INTO found{level} (key, resting) VALUES (?, 0)", rows)


def merge_found(
    db: sqlite3.Connection,
    level: int,
    *,
    now: float,
    accept_gone: bool,
    believe_gone: bool = True,
    folders: Collection[str] | None = None,
) -> Difference:
    """Update the unit table from the staging table; `folders`: the scan looked into these alone."""
    leave_archived(db, level)
    highest = db.execute("SELECT max(id) FROM unit").fetchone()[0]
    present = db.execute(f"SELECT count(*) FROM found{level} WHERE resting").fetchone()[0]
    within = living_in(db, level, folders) if folders else None
    known = count_living(db, level) if within is None else len(within)
    if present == known == count_same(db, level):
        return Difference(present, 0, highest, same=True)
    insert_groups(db, level, highest, now)
    changed, back = changed_and_back(db, level)
    renew(db, level, now)
    add(db, level, now)
    sought = known and believe_gone
    gone, suspicious = find_gone(db, level, within, accept_gone=accept_gone) if sought else ([], 0)
    db.executemany("UPDATE unit SET gone = ? WHERE id = ?", ((now, unit) for unit in gone))
    new = count_new(db, level, highest)
    return Difference(present, new, highest, changed, gone, back, suspicious, level, now)


def leave_archived(db: sqlite3.Connection, level: int) -> None:
    """Forget that archived units were found: whether they are there changes nothing."""
    archived = "SELECT key FROM unit WHERE level = ? AND archived IS NOT NULL"
    db.execute(f"DELETE FROM found{level} WHERE key IN ({archived})", (level,))


def count_same(db: sqlite3.Connection, level: int) -> int:
    """Count the staged units that are in the unit table just as they were found."""
    return db.execute(
        f"SELECT count(*) FROM found{level} f JOIN unit u ON u.level = ? AND u.key = f.key WHERE f.resting AND"
        " u.fields = f.fields AND u.fingerprint IS f.fingerprint AND u.gone IS NULL AND u.origin = 'source'",
        (level,),
    ).fetchone()[0]


def count_new(db: sqlite3.Connection, level: int, highest: int) -> int:
    """Count the units with ids above `highest`."""
    sql = "SELECT count(*) FROM unit WHERE id > ? AND +level = ?"
    return db.execute(sql, (highest, level)).fetchone()[0]


def changed_and_back(db: sqlite3.Connection, level: int) -> tuple[list[Change], list[int]]:
    """Return the known units that were found with another input or other fields, and those that had been gone."""
    differs = "(u.fingerprint IS NOT f.fingerprint OR u.fields <> f.fields)"
    rows = db.execute(
        f"SELECT u.id, u.fields, f.fields, u.fingerprint, f.fingerprint, {differs}, u.gone FROM found{level} f"
        f" JOIN unit u ON u.level = ? AND u.key = f.key WHERE f.resting AND ({differs} OR u.gone IS NOT NULL)",
        (level,),
    ).fetchall()
    changes = (change_of(*row[:5]) for row in rows if row[5])
    return [one for one in changes if one.files or one.names], [row[0] for row in rows if row[6] is not None]


def change_of(unit: int, old: str, new: str, before: str | None, after: str | None) -> Change:
    """Return what changed of a unit, from its fields as JSON and from its fingerprints."""
    was, now, files = parse(old), parse(new), (before or "", after or "")
    names = (
        [n for n in sorted(was.keys() | now.keys()) if typed(was, n) != typed(now, n)] if old != new else []
    )
    return Change(unit, was, now, names, files if files[0] != files[1] else None)


def typed(fields: Mapping[str, Any], name: str) -> tuple[type, Any] | None:
    """Return a field so that 1, 1.0 and true are three."""
    return (fields[name].__class__, fields[name]) if name in fields else None


def insert_groups(db: sqlite3.Connection, level: int, highest: int, now: float) -> None:
    """Add the groups above the staged units that are not there yet."""
    for above in range(1, level):
        columns, values, joins = ancestry(above)
        db.execute(
            f"INSERT INTO unit (level, key, origin, seen{columns}) SELECT {above}, f.key, 'group', {now}{values}"
            f" FROM (SELECT DISTINCT p{above} AS key, {', '.join(f'p{n}' for n in range(1, above + 1))} FROM found{level}"
            f" WHERE resting) f {joins} WHERE true ON CONFLICT DO NOTHING"
        )
        db.execute(f"UPDATE unit SET g{above} = id WHERE +level = {above} AND id > {highest}")


def renew(db: sqlite3.Connection, level: int, now: float) -> None:
    """Bring the known units that were found to their fields and input of now."""
    db.execute(
        "UPDATE unit SET fields = f.fields, fingerprint = f.fingerprint, at = ?, origin = 'source', gone = NULL"
        f" FROM found{level} f WHERE f.resting AND unit.level = ? AND unit.key = f.key AND (unit.fields <> f.fields"
        " OR unit.fingerprint IS NOT f.fingerprint OR unit.gone IS NOT NULL OR unit.origin <> 'source')",
        (now, level),
    )


def add(db: sqlite3.Connection, level: int, now: float) -> None:
    """Add the staged units that are new, numbered here: each has its own number in a column, too."""
    columns, values, joins = ancestry(level)
    highest = db.execute("SELECT max(id) FROM unit").fetchone()[0]
    number = f"{highest} + row_number() OVER ()"
    db.execute(
        f"INSERT INTO unit (id, g{level}, level, key, origin, fields, fingerprint, at, seen{columns})"
        f" SELECT {number}, {number}, {level}, f.key, 'source', f.fields, f.fingerprint, {now}, {now}{values}"
        f" FROM found{level} f {joins} WHERE f.resting"
        f" AND NOT EXISTS (SELECT 1 FROM unit o WHERE o.level = {level} AND o.key = f.key)"
    )


def ancestry(level: int) -> tuple[str, str, str]:
    """Return the columns, values and joins that give a staged row the ids of its groups."""
    above = range(1, level)
    columns = "".join(f", g{n}" for n in above)
    values = "".join(f", u{n}.id" for n in above)
    joins = " ".join(f"JOIN unit u{n} ON u{n}.level = {n} AND u{n}.key = f.p{n}" for n in above)
    return columns, values, joins


def how_changed(before: str, after: str) -> str:
    """Describe how a fingerprint ("size:mtime in ns") changed."""
    sizes = [SIZE.match(text) for text in (before, after)]
    if not all(sizes):
        return "changed"
    old, new = (found[1] for found in sizes if found)
    return f"changed: {old} → {new} bytes" if old != new else "was rewritten"


def show_value(value: Any) -> str:
    """Write the value of a field in a few words."""
    text = value if isinstance(value, str) else compact({"": value})[4:-1]
    return text if len(text) <= MOST_SHOWN else f"{text[: MOST_SHOWN - 1]}…"


class Child(NamedTuple):
    """A unit that a stage made out of another."""

    value: Any
    fields: Mapping[str, Any]


def insert_children(
    db: sqlite3.Connection, stage_id: int, parent: sqlite3.Row, children: Sequence[Child], *, now: float
) -> Difference:
    """Bring the children of one parent, as stage `stage_id` gave them, into the unit table."""
    level = parent["level"] + 1
    highest = db.execute("SELECT max(id) FROM unit").fetchone()[0]
    prefix, known = json.loads(parent["key"]), children_of(db, stage_id, parent)
    given = written(prefix, children, db, now)
    for key in taken_elsewhere(db, level, given.keys() - known.keys(), now):
        del given[key]
    groups = {f"g{n}": parent[f"g{n}"] for n in range(1, level)}
    for key, fields in given.items():
        if key not in known:
            insert_unit(db, level, key, str(stage_id), fields, groups, now=now)
    changes = [
        change_of(known[k]["id"], known[k]["fields"], f, None, None) for k, f in given.items() if k in known
    ]
    fields = ((given[k], known[k]["id"]) for k in given.keys() & known.keys())
    db.executemany("UPDATE unit SET fields = ? WHERE id = ?", fields)
    gone = [row["id"] for key, row in known.items() if key not in given and row["gone"] is None]
    back = [row["id"] for key, row in known.items() if key in given and row["gone"] is not None]
    times = chain(((now, u) for u in gone), ((None, u) for u in back))
    db.executemany("UPDATE unit SET gone = ? WHERE id = ?", times)
    changed = [change for change in changes if change.names]
    new = len(given.keys() - known.keys())
    return Difference(len(given), new, highest, changed, gone, back, level=level, at=now)


def written(
    prefix: list[Any], children: Sequence[Child], db: sqlite3.Connection, now: float
) -> dict[str, str]:
    """Return keys and fields of children as the record has them; those that it cannot have are noted as problems."""
    given: dict[str, str] = {}
    for child in children:
        try:
            key, fields = canonical([*prefix, child.value]), compact(child.fields)
            (key + fields).encode()
            given[key] = fields
        except (ValueError, TypeError) as error:
            why = f"a stage made a unit {child.value!r}, which cannot be recorded: {error}"
            sql = "INSERT INTO problem (source, subject, why, at) VALUES ('expand', ?, ?, ?)"
            db.execute(sql, (json.dumps(prefix), json.dumps(why)[1:-1], now))
    return given


def taken_elsewhere(db: sqlite3.Connection, level: int, keys: Iterable[str], now: float) -> list[str]:
    """Return those keys of new children that a source or another stage has already, and note them as problems."""
    sql = "SELECT u.key FROM json_each(?) j JOIN unit u ON u.level = ? AND u.key = j.value"
    taken = [row[0] for row in db.execute(sql, (json.dumps(sorted(keys)), level))]
    why = "a stage made a unit that already exists, from a source or another stage: the first one is kept"
    db.executemany(
        "INSERT INTO problem (source, subject, why, at) VALUES ('expand', ?, ?, ?)",
        [(key, why, now) for key in taken],
    )
    return taken


def children_of(db: sqlite3.Connection, stage_id: int, parent: sqlite3.Row) -> dict[str, sqlite3.Row]:
    """Return the units that a stage has made of `parent` so far, by key."""
    under = f"g{parent['level']} = {parent['id']}" if parent["level"] else "true"
    sql = f"SELECT * FROM unit WHERE {under} AND level = ? AND origin = ?"
    return {row["key"]: row for row in db.execute(sql, (parent["level"] + 1, str(stage_id)))}


def insert_unit(
    db: sqlite3.Connection,
    level: int,
    key: str,
    origin: str,
    fields: str,
    groups: Mapping[str, int],
    *,
    now: float,
) -> int:
    """Add one unit under `groups` and return its id."""
    columns = "".join(f", {name}" for name in groups)
    marks = ", ?" * len(groups)
    cursor = db.execute(
        f"INSERT INTO unit (level, key, origin, fields, seen{columns}) VALUES (?, ?, ?, ?, ?{marks})",
        (level, key, origin, fields, now, *groups.values()),
    )
    db.execute(f"UPDATE unit SET g{level} = id WHERE id = ?", (cursor.lastrowid,))
    return int(cursor.lastrowid or 0)


class Values:
    """What placeholders and expressions see of a unit: key, own fields, and the fields of its groups."""

    def __init__(self, db: sqlite3.Connection, campaign: Campaign) -> None:
        self.db, self.campaign, self.levels, self.formats = db, campaign, campaign.levels, campaign.formats
        self.groups: dict[int, dict[str, Any]] = {}

    def of(self, row: sqlite3.Row) -> dict[str, Any]:
        """Return the values of a unit's row (`level key fields g1…`)."""
        values = dict(self.above(row))
        values.update(parse(row["fields"]))
        values.update(zip(self.levels, parse(row["key"]), strict=False))
        return values

    def label(self, row: sqlite3.Row) -> str:
        """Return the printed name of a unit's row."""
        return show_key(parse(row["key"]), self.levels, self.formats)

    def forget(self) -> None:
        """Read the fields of groups anew; some of them changed."""
        self.groups.clear()

    def above(self, row: sqlite3.Row) -> dict[str, Any]:
        """Return the fields of the nearest group and all above it; kept, since neighbours share them."""
        if row["level"] <= 1:
            return {}
        group = row[f"g{row['level'] - 1}"]
        if group not in self.groups:
            if len(self.groups) > 10_000:
                self.groups.clear()
            self.groups[group] = self.of(
                self.db.execute("SELECT * FROM unit WHERE id = ?", (group,)).fetchone()
            )
        return self.groups[group]


def under(db: sqlite3.Connection, units: Iterable[int], level: int) -> list[sqlite3.Row]:
    """Return the units of `level` that are among these or stand under one of them."""
    some = "json_each(?1) j CROSS JOIN unit"
    parts = [
        f"SELECT u.* FROM {some} u ON u.id = j.value AND u.level = {level}",
        f"SELECT u.* FROM unit u WHERE u.level = {level} AND EXISTS (SELECT 1 FROM json_each(?1) WHERE value = {ROOT})",
    ]
    parts += [
        f"SELECT u.* FROM {some} x ON x.id = j.value AND x.level = {above} CROSS JOIN unit u"
        f" ON u.g{above} = x.id AND u.level > {above} AND u.level = {level}"
        for above in range(1, level)
    ]
    return db.execute(" UNION ".join(parts), (json.dumps(list(units)),)).fetchall()


def rows_of(db: sqlite3.Connection, units: Iterable[int]) -> Iterator[sqlite3.Row]:
    """Yield the rows of these units."""
    return db.execute(
        "SELECT u.* FROM json_each(?) j JOIN unit u ON u.id = j.value", (json.dumps(list(units)),)
    )


def beneath(
    db: sqlite3.Connection, groups: Iterable[int], above: int, level: int
) -> Iterator[tuple[int, int]]:
    """Yield (group, unit) for all units of `level` under groups of the level `above`."""
    sql = (
        f"SELECT j.value, u.id FROM json_each(?) j JOIN unit u ON u.level = {level} AND u.g{above} = j.value"
    )
    for row in db.execute(sql, (json.dumps(list(groups)),)):
        yield row[0], row[1]

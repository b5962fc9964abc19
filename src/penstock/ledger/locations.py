"""Where products are that were made at a site which does not see the campaign's folder, and what is in its store."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from penstock.graph import Graph
from penstock.ledger.inputs import is_read, seen_along

UNFINISHED = "('waiting', 'ready', 'queued', 'running')"


class Location(NamedTuple):
    """Where a product is: at a site, and perhaps here, too."""

    site: str
    home: bool


class Away(NamedTuple):
    """A product that is only at a site: its task, what it must be, and whether something of ours lies at its path here."""

    stage: int
    unit: int
    name: str
    path: str
    bytes: int
    digest: str
    mtime_ns: int | None
    owned: int


def locations_of(db: sqlite3.Connection, paths: Iterable[str]) -> dict[str, Location]:
    """Return where these paths are, of those that are at a site."""
    sql = "SELECT l.path, l.site, l.home FROM json_each(?) j CROSS JOIN location l ON l.path = j.value"
    return {path: Location(site, bool(home)) for path, site, home in db.execute(sql, (json.dumps([*paths]),))}


def note_made_at(db: sqlite3.Connection, site: str, paths: Iterable[str]) -> None:
    """Record that products were made at a site; what was asked for before is still."""
    sql = (
        "INSERT INTO location (path, site) VALUES (?, ?)"
        " ON CONFLICT (path) DO UPDATE SET site = excluded.site, home = 0"
    )
    db.executemany(sql, [(path, site) for path in paths])


def note_home(db: sqlite3.Connection, paths: Iterable[str]) -> None:
    """Record that products are here, too, as they were made."""
    rows = [(path,) for path in paths]
    db.executemany("UPDATE location SET home = 1 WHERE path = ?", rows)
    db.executemany("UPDATE product SET owned = 1 WHERE path = ?", rows)


def note_withdrawn(db: sqlite3.Connection, paths: Iterable[str]) -> None:
    """Record that products are made again, wherever they are."""
    db.executemany("DELETE FROM location WHERE path = ? AND wanted <> 1", [(path,) for path in paths])


def note_removed(db: sqlite3.Connection, paths: Iterable[str]) -> None:
    """Record that products are no longer at a site."""
    db.executemany("DELETE FROM location WHERE path = ?", [(path,) for path in paths])


def ask_again(db: sqlite3.Connection) -> list[str]:
    """Let products come home at whose paths something lay; return these."""
    rows = db.execute("SELECT path FROM location WHERE wanted = -1 AND NOT home").fetchall()
    note_wanted(db, (path for (path,) in rows), 0)
    return [path for (path,) in rows]


def paths_away(
    db: sqlite3.Connection, graph: Graph, chosen: Mapping[str, Sequence[int]], pattern: str | None = None
) -> list[str]:
    """Return the products of tasks that are at a site and not here, with paths that match a pattern."""
    found = list[str]()
    for stage, units in chosen.items():
        sql = (
            "SELECT p.path FROM json_each(?) j CROSS JOIN product p ON p.stage = ? AND p.unit = j.value"
            " JOIN location l ON l.path = p.path AND NOT l.home"
        )
        found += [row[0] for row in db.execute(sql, (json.dumps([*units]), graph.ids[stage]))]
    return [path for path in found if pattern is None or fnmatchcase(path, pattern)]


def note_wanted(db: sqlite3.Connection, paths: Iterable[str], wanted: int = 1) -> None:
    """Record whether products are to come home whatever the site's `fetch` says."""
    db.executemany("UPDATE location SET wanted = ? WHERE path = ?", [(wanted, path) for path in paths])


def sites_with_files(db: sqlite3.Connection) -> list[str]:
    """Return the sites where something of ours is."""
    return [row[0] for row in db.execute("SELECT site FROM location UNION SELECT site FROM sent")]


def sites_away(db: sqlite3.Connection) -> list[str]:
    """Return the sites that have products which are not here."""
    return [row[0] for row in db.execute("SELECT DISTINCT site FROM location WHERE NOT home")]


def is_needed(db: sqlite3.Connection, site: str) -> bool:
    """Whether products that are not here, or unfinished jobs, are at a site."""
    away = "SELECT 1 FROM location WHERE site = ?1 AND NOT home"
    at_work = "SELECT 1 FROM job WHERE site = ?1 AND state <> 'finished'"
    return db.execute(f"{away} UNION ALL {at_work} LIMIT 1", (site,)).fetchone() is not None


class Amount(NamedTuple):
    """How many products, and their bytes."""

    products: int
    bytes: int


def count_away(db: sqlite3.Connection, site: str) -> Amount:
    """Return how much is at a site and not here."""
    sql = (
        "SELECT count(*), coalesce(sum(p.bytes), 0) FROM location l JOIN product p ON p.path = l.path"
        " WHERE NOT l.home AND l.site = ?"
    )
    return Amount(*db.execute(sql, (site,)).fetchone())


def makers_of(db: sqlite3.Connection, paths: Iterable[str]) -> dict[int, set[int]]:
    """Return the units, by stage, whose tasks made these products."""
    found = dict[int, set[int]]()
    sql = "SELECT p.stage, p.unit FROM json_each(?) j CROSS JOIN product p ON p.path = j.value"
    for stage, unit in db.execute(sql, (json.dumps([*paths]),)):
        found.setdefault(stage, set()).add(unit)
    return found


def sizes_of(db: sqlite3.Connection, paths: Iterable[str]) -> list[tuple[str, int, str]]:
    """Return what products must be: path, bytes, digest."""
    sql = (
        "SELECT p.path, p.bytes, p.digest FROM json_each(?) j CROSS JOIN product p ON p.path = j.value"
        " WHERE p.digest IS NOT NULL"
    )
    return [(path, size, digest) for path, size, digest in db.execute(sql, (json.dumps([*paths]),))]


def any_away(db: sqlite3.Connection) -> bool:
    """Whether a product is at a site and not here."""
    return db.execute("SELECT 1 FROM location WHERE NOT home LIMIT 1").fetchone() is not None


def is_awaited(made: Iterable[tuple[int, str]]) -> str:
    """Return the SQL condition for a row of `location` (l) and `product` (p) that is to come home.

    `made`: the products, as stage and name, that do so without being asked for.
    """
    names = ", ".join(map(str, made)) or "(NULL, NULL)"
    return f"NOT l.home AND (l.wanted = 1 OR (l.wanted = 0 AND (p.stage, p.name) IN (VALUES {names})))"


def awaited(db: sqlite3.Connection, site: str, made: Iterable[tuple[int, str]], most: int) -> list[Away]:
    """Return products of a site that are to come home: those that do by themselves, and what was asked for."""
    rows = db.execute(
        "SELECT p.stage, p.unit, p.name, p.path, p.bytes, p.digest, p.mtime_ns, p.owned FROM location l"
        " JOIN product p ON p.path = l.path AND p.digest IS NOT NULL"
        " JOIN task t ON t.stage = p.stage AND t.unit = p.unit AND t.state = 'done' AND NOT t.redo & 2"
        f" WHERE l.site = ? AND {is_awaited(made)} LIMIT ?",
        (site, most),
    )
    return list(map(Away._make, rows))


def units_waiting(
    db: sqlite3.Connection, graph: Graph, stage: str, site: str, mine: Collection[str]
) -> dict[int, set[str]]:
    """Return the units of a stage with inputs that are at another place than `site`, and which these are.

    `mine`: the stages that run at `site`.
    """
    found, elsewhere = dict[int, set[str]](), [e for e in graph.upstreams[stage] if e.up not in mine]
    for edge in elsewhere if any_away(db) else ():
        looking, member, joined = seen_along(graph, edge)
        sql = (
            f"SELECT {looking}, p.path FROM {joined} JOIN product p ON p.stage = {graph.ids[edge.up]} AND p.unit = {member}"
            f" AND {is_read(edge)} JOIN location l ON l.path = p.path AND NOT l.home AND l.site <> ?"
        )
        ready = "SELECT unit FROM task WHERE stage = ? AND state = 'ready'"
        units = json.dumps([row[0] for row in db.execute(ready, (graph.ids[stage],))])
        for unit, path in db.execute(sql, (units, site)):
            found.setdefault(unit, set()).add(path)
    return found


def unread(db: sqlite3.Connection, graph: Graph, site: str, stages: Sequence[str], most: int) -> list[str]:
    """Return products that are here and at a site, where none of its `stages` will still read them."""
    free = [graph.ids[name] for name in graph.stages if not any_reader(db, graph, name, stages)]
    ids = ", ".join(map(str, free)) or "NULL"
    sql = (
        "SELECT l.path FROM location l LEFT JOIN product p ON p.path = l.path WHERE l.site = ? AND l.home"
        f" AND (p.path IS NULL OR p.stage IN ({ids})) LIMIT ?"
    )
    return [row[0] for row in db.execute(sql, (site, most))]


def any_reader(db: sqlite3.Connection, graph: Graph, stage: str, among: Sequence[str]) -> bool:
    """Whether an unfinished task of one of some stages reads what a stage makes."""
    readers = [graph.ids[edge.down] for edge in graph.downstreams[stage] if edge.down in among]
    sql = (
        "SELECT 1 FROM tally WHERE unit = 1 AND n > 0 AND stage IN (SELECT value FROM json_each(?))"
        f" AND state IN {UNFINISHED} LIMIT 1"
    )
    return db.execute(sql, (json.dumps(readers),)).fetchone() is not None


# the store of a site


def note_sent(db: sqlite3.Connection, site: str, blobs: Iterable[tuple[str, int, int]]) -> None:
    """Record that a site's store has (digest, unit, bytes), or soon will."""
    sql = "INSERT OR IGNORE INTO sent (site, digest, unit, bytes) VALUES (?, ?, ?, ?)"
    db.executemany(sql, [(site, *blob) for blob in blobs])


def unneeded(db: sqlite3.Connection, site: str, stages: Sequence[int]) -> list[str]:
    """Return what is in a site's store for tasks that are all over, by digest."""
    if not db.execute("SELECT 1 FROM sent WHERE site = ? LIMIT 1", (site,)).fetchone():
        return []
    ids = ", ".join(map(str, stages)) or "NULL"
    sql = (
        "SELECT digest FROM sent s WHERE site = ? GROUP BY digest HAVING NOT max(EXISTS (SELECT 1 FROM task t"
        f" WHERE t.stage IN ({ids}) AND t.unit = s.unit AND t.state IN {UNFINISHED}))"
    )
    return [row[0] for row in db.execute(sql, (site,))]


def note_released(db: sqlite3.Connection, site: str, digests: Iterable[str]) -> None:
    """Record that a site's store no longer has these for us."""
    db.executemany("DELETE FROM sent WHERE site = ? AND digest = ?", [(site, digest) for digest in digests])


def held_at(db: sqlite3.Connection, site: str) -> set[str]:
    """Return what is in a site's store for us, by digest."""
    return {row[0] for row in db.execute("SELECT DISTINCT digest FROM sent WHERE site = ?", (site,))}


def bytes_at(db: sqlite3.Connection, site: str) -> int:
    """Return how many bytes of ours are at a site: inputs in its store, and products."""
    stored = "SELECT coalesce(sum(bytes), 0) FROM (SELECT DISTINCT digest, bytes FROM sent WHERE site = ?)"
    made = (
        "SELECT coalesce(sum(p.bytes), 0) FROM location l JOIN product p ON p.path = l.path WHERE l.site = ?"
    )
    return sum(db.execute(sql, (site,)).fetchone()[0] for sql in (stored, made))

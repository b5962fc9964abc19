"""What the record holds of one job that is over: it goes into the job's archive, so that the record can be rebuilt."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from typing import Any

from penstock.runner.sealed import seal, unseal

EXCERPT = "record.json"  # its name in the archive
FORMAT = 1

_ABOVE = " UNION ".join(f"SELECT g{level} FROM mine" for level in range(1, 6))
_MINE = "(SELECT DISTINCT stage, unit FROM attempt WHERE job = ?1) a"

#: table → its rows that a job explains
ROWS: Mapping[str, str] = {
    "job": "SELECT * FROM job WHERE id = ?1",
    "life": "SELECT * FROM life WHERE job = ?1",
    "attempt": "SELECT * FROM attempt WHERE job = ?1",
    "stage": "SELECT * FROM stage WHERE id IN (SELECT stage FROM attempt WHERE job = ?1)",
    "unit": (
        "WITH mine AS (SELECT DISTINCT g1, g2, g3, g4, g5 FROM unit WHERE id IN (SELECT unit FROM attempt WHERE job = ?1))"
        f" SELECT * FROM unit WHERE id IN (SELECT unit FROM attempt WHERE job = ?1 UNION {_ABOVE})"
    ),
    "task": "SELECT t.* FROM (SELECT DISTINCT stage, unit FROM attempt WHERE job = ?1) a JOIN task t USING (stage, unit)",
    "product": (
        f"SELECT p.* FROM {_MINE} JOIN product p USING (stage, unit)"
        f" UNION SELECT p.* FROM {_MINE} JOIN moved m USING (stage, unit) JOIN product p ON p.path = m.path"
    ),
    "moved": (
        f"SELECT m.* FROM {_MINE} JOIN moved m USING (stage, unit)"
        f" UNION SELECT m.* FROM {_MINE} JOIN product p USING (stage, unit) JOIN moved m ON m.path = p.path"
    ),
    "location": (
        "SELECT l.* FROM (SELECT DISTINCT stage, unit FROM attempt WHERE job = ?1) a JOIN product p USING (stage, unit)"
        " JOIN location l ON l.path = p.path"
    ),
    "content": (
        "WITH mine AS (SELECT DISTINCT g1, g2, g3, g4, g5 FROM unit WHERE id IN (SELECT unit FROM attempt WHERE job = ?1)),"
        f" own AS (SELECT unit AS id FROM attempt WHERE job = ?1 UNION {_ABOVE}),"
        " file AS (SELECT DISTINCT f.value AS path FROM own JOIN unit u USING (id) CROSS JOIN json_each(coalesce("
        "json_extract(u.fields, '$.paths'), json_array(json_extract(u.fields, '$.path')))) f)"
        " SELECT c.* FROM file JOIN content c USING (path)"
    ),
    "veto": (
        "SELECT v.* FROM (SELECT DISTINCT unit FROM attempt WHERE job = ?1) a JOIN veto v ON v.unit = a.unit"
        " WHERE v.by GLOB 'stage *'"
    ),
}

#: the units that an expanding stage made, by the level of its own
CHILDREN = (
    "SELECT c.* FROM (SELECT DISTINCT unit FROM attempt WHERE job = ? AND stage = ?) a"
    " JOIN unit c ON {parent} = a.unit AND c.level = ? AND c.origin = ?"
)


def write_excerpt(db: sqlite3.Connection, token: str) -> bytes:
    """Return what the record holds of a job, with a seal; nothing if it knows none of that name."""
    found = db.execute("SELECT id FROM job WHERE token = ?", (token,)).fetchone()
    if found is None:
        return b""
    job: int = found[0]
    tables = {name: table_of(db.execute(sql, (job,))) for name, sql in ROWS.items()}
    for stage, level in expanding(db, job):
        parent = f"c.g{level}" if level else "1"
        cursor = db.execute(CHILDREN.format(parent=parent), (job, stage, level + 1, str(stage)))
        tables["unit"]["rows"] += table_of(cursor)["rows"]
    newest = db.execute("SELECT coalesce(max(id), 0) FROM attempt").fetchone()[0]
    text = json.dumps({"format": FORMAT, "newest": newest, "tables": tables}, ensure_ascii=False)
    return seal(text.encode(errors="surrogateescape"))


def table_of(cursor: sqlite3.Cursor) -> dict[str, list[Any]]:
    """Return the rows that a query found, and the names of their columns once."""
    names = [column[0] for column in cursor.description]
    kept = [n for n, name in enumerate(names) if name != "rank"]  # of any type, and given anew
    return {"names": [names[n] for n in kept], "rows": [[row[n] for n in kept] for row in cursor]}


def expanding(db: sqlite3.Connection, job: int) -> list[tuple[int, int]]:
    """Return number and level of those stages in a job that make units."""
    sql = (
        "SELECT id, level FROM stage WHERE id IN (SELECT stage FROM attempt WHERE job = ?)"
        " AND json_extract(definition, '$.expands') IS NOT NULL"
    )
    return [(row[0], row[1]) for row in db.execute(sql, (job,))]


def read_excerpt(data: bytes) -> Mapping[str, Any] | None:
    """Return an excerpt; None if it is damaged, or of a kind that is not known here."""
    found = unseal(data)
    return found if found and found.get("format") == FORMAT else None

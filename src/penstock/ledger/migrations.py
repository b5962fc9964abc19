"""Bringing an older ledger up to date, one step a version (`PRAGMA user_version`)."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from penstock.errors import Corrupt, LedgerError
from penstock.ledger.files import REMEDY

VERSION = 11

Step = Callable[[sqlite3.Connection], None]


def add_elements(db: sqlite3.Connection) -> None:
    """Add columns for arrays, whose elements stand in a queue."""
    db.execute("ALTER TABLE job ADD COLUMN request TEXT")
    db.execute("ALTER TABLE life ADD COLUMN begun INTEGER NOT NULL DEFAULT 0")
    db.execute("ALTER TABLE job ADD COLUMN tries INTEGER NOT NULL DEFAULT 0")
    db.execute(
        "CREATE TABLE element (job INTEGER NOT NULL, element INTEGER NOT NULL, phase TEXT, word TEXT, reason TEXT,"
        " node TEXT, starts REAL, outcome TEXT, absent REAL, ended REAL, settled INTEGER NOT NULL DEFAULT 0,"
        " PRIMARY KEY (job, element)) WITHOUT ROWID"
    )
    db.execute("CREATE INDEX element_open ON element (job) WHERE NOT settled")


def second_look(db: sqlite3.Connection) -> None:
    """Add columns for what a second look at the engine asked for."""
    add_identity(db)
    add_owners(db)
    add_history(db)
    add_sites(db)
    rename_settled(db)


def add_identity(db: sqlite3.Connection) -> None:
    """Add columns for the process namespaces of pids, and for lines that could not be read."""
    db.execute("ALTER TABLE lease ADD COLUMN space TEXT")
    db.execute("ALTER TABLE life ADD COLUMN space TEXT")
    db.execute("ALTER TABLE life ADD COLUMN unread INTEGER NOT NULL DEFAULT 0")


def add_owners(db: sqlite3.Connection) -> None:
    """Note whose the products are; for what was withdrawn, old versions did not record whether a file is there."""
    db.execute("ALTER TABLE product ADD COLUMN mtime_ns INTEGER")
    db.execute("ALTER TABLE product ADD COLUMN owned INTEGER NOT NULL DEFAULT 0")
    db.execute("UPDATE product SET owned = CASE WHEN digest IS NULL THEN 2 ELSE 1 END WHERE true")
    db.execute("ALTER TABLE task ADD COLUMN redo INTEGER NOT NULL DEFAULT 0")
    db.execute("CREATE INDEX task_redo ON task (stage, unit) WHERE redo <> 0")
    db.execute("CREATE TABLE former (path TEXT PRIMARY KEY) WITHOUT ROWID")


def add_history(db: sqlite3.Connection) -> None:
    """Add columns for what changed of units."""
    db.execute(
        "CREATE TABLE history (id INTEGER PRIMARY KEY, at REAL NOT NULL, unit INTEGER NOT NULL, what TEXT NOT NULL,"
        " old TEXT, new TEXT)"
    )
    db.execute("CREATE INDEX history_unit ON history (unit)")


def add_sites(db: sqlite3.Connection) -> None:
    """Add columns for what is learned of sites, and for which elements were taken out of a queue."""
    db.execute(
        "CREATE TABLE site (name TEXT PRIMARY KEY, version TEXT, array_size INTEGER, accounting INTEGER,"
        " limits_told REAL, limits_due REAL, refused INTEGER, most_elements INTEGER,"
        " times_full INTEGER NOT NULL DEFAULT 0, rests_until REAL, rests_why TEXT, include_until REAL,"
        " false_starts INTEGER NOT NULL DEFAULT 0, failures INTEGER NOT NULL DEFAULT 0, ask_due REAL,"
        " cancel_due REAL, history_asked INTEGER NOT NULL DEFAULT 0, history_answered REAL, boot TEXT) WITHOUT ROWID"
    )
    db.execute("ALTER TABLE element ADD COLUMN cancelled INTEGER NOT NULL DEFAULT 0")
    db.execute("CREATE INDEX job_submitted ON job (site, submitted)")
    forgotten = (
        "name = 'false_starts' OR name GLOB 'limits.*' OR name GLOB 'history.*' OR name GLOB 'clock.*'"
    )
    db.execute(f"DELETE FROM meta WHERE {forgotten}")


def rename_settled(db: sqlite3.Connection) -> None:
    """Say `finished` of jobs, batches and elements; the partial indexes name the old word, so they are made anew."""
    for index in ("job_open", "batch_open", "element_open"):
        db.execute(f"DROP INDEX {index}")
    db.execute("ALTER TABLE job RENAME COLUMN settled TO finished")
    db.execute("ALTER TABLE element RENAME COLUMN settled TO finished")
    for table in ("job", "batch"):
        db.execute(f"UPDATE {table} SET state = 'finished' WHERE state = 'settled'")
    db.execute("CREATE INDEX job_open ON job (state) WHERE state <> 'finished'")
    db.execute("CREATE INDEX batch_open ON batch (job) WHERE state <> 'finished'")
    db.execute("CREATE INDEX element_open ON element (job) WHERE NOT finished")


def add_absences(db: sqlite3.Connection) -> None:
    """Add columns for sites that cannot be reached."""
    db.execute("ALTER TABLE site ADD COLUMN away REAL")
    db.execute("ALTER TABLE site ADD COLUMN away_why TEXT")


def add_travels(db: sqlite3.Connection) -> None:
    """Add tables for what travels to sites that do not see the campaign's folder, and home again."""
    db.execute(
        "CREATE TABLE content (path TEXT PRIMARY KEY, bytes INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,"
        " digest TEXT NOT NULL) WITHOUT ROWID"
    )
    db.execute(
        "CREATE TABLE sent (site TEXT NOT NULL, digest TEXT NOT NULL, unit INTEGER NOT NULL, bytes INTEGER NOT NULL,"
        " PRIMARY KEY (site, digest, unit)) WITHOUT ROWID"
    )
    db.execute(
        "CREATE TABLE location (path TEXT PRIMARY KEY, site TEXT NOT NULL, home INTEGER NOT NULL DEFAULT 0,"
        " wanted INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID"
    )
    db.execute("CREATE INDEX location_away ON location (site) WHERE NOT home")


def add_notices(db: sqlite3.Connection) -> None:
    """Add tables for what people are told, and for deadlines that were missed."""
    db.execute("ALTER TABLE task ADD COLUMN failed REAL")
    db.execute("ALTER TABLE lease ADD COLUMN turned REAL")
    db.execute("CREATE INDEX task_trouble ON task (failed) WHERE failed IS NOT NULL")
    db.execute(
        "CREATE TABLE missed (stage INTEGER NOT NULL, unit INTEGER NOT NULL, due REAL NOT NULL, at REAL NOT NULL,"
        " over REAL, PRIMARY KEY (stage, unit)) WITHOUT ROWID"
    )
    db.execute("CREATE INDEX missed_open ON missed (at) WHERE over IS NULL")
    db.execute(
        "CREATE TABLE listener (channel TEXT NOT NULL, kind TEXT NOT NULL, told REAL NOT NULL, at REAL NOT NULL,"
        " PRIMARY KEY (kind, channel)) WITHOUT ROWID"
    )
    db.execute(
        "CREATE TABLE notice (id INTEGER PRIMARY KEY, channel TEXT NOT NULL, kind TEXT NOT NULL, at REAL NOT NULL,"
        " message TEXT, sealed REAL, due REAL, tries INTEGER NOT NULL DEFAULT 0, sent REAL, why TEXT)"
    )
    db.execute("CREATE UNIQUE INDEX notice_growing ON notice (channel, kind) WHERE message IS NULL")
    db.execute("CREATE INDEX notice_due ON notice (due) WHERE due IS NOT NULL")


def stand_for_years(db: sqlite3.Connection) -> None:
    """Add what a record needs that is kept for years."""
    add_causes(db)
    add_order(db)
    add_until(db)
    index_attempts(db)


def add_causes(db: sqlite3.Connection) -> None:
    """Let the history say of which stage, by whom and why, and note what people marked and put away."""
    db.execute(
        "CREATE TABLE cause (id INTEGER PRIMARY KEY, by TEXT NOT NULL, why TEXT NOT NULL, UNIQUE (by, why))"
    )
    db.execute("ALTER TABLE unit ADD COLUMN seen REAL")
    db.execute(
        "UPDATE unit SET seen = min(at, coalesce((SELECT min(h.at) FROM history h WHERE h.unit = unit.id), at))"
    )
    db.execute("ALTER TABLE unit ADD COLUMN archived INTEGER")
    db.execute("ALTER TABLE task ADD COLUMN marked INTEGER")
    db.execute("CREATE INDEX unit_archived ON unit (level) WHERE archived IS NOT NULL")
    db.execute("CREATE INDEX task_marked ON task (stage) WHERE marked IS NOT NULL")
    db.execute("DROP INDEX history_unit")
    db.execute("ALTER TABLE history RENAME TO old")
    db.execute(
        "CREATE TABLE history (unit INTEGER NOT NULL, n INTEGER NOT NULL, at REAL NOT NULL, stage INTEGER,"
        " what TEXT NOT NULL, old TEXT, new TEXT, cause INTEGER, PRIMARY KEY (unit, n)) WITHOUT ROWID"
    )
    db.execute(
        "INSERT INTO history (unit, n, at, what, old, new)"
        " SELECT unit, row_number() OVER (PARTITION BY unit ORDER BY id), at, what, old, new FROM old"
    )
    db.execute("DROP TABLE old")


def add_order(db: sqlite3.Connection) -> None:
    """Add columns for the order in which tasks go; so far that was the one in which their units were seen."""
    db.execute("ALTER TABLE task ADD COLUMN behind INTEGER NOT NULL DEFAULT 0")
    db.execute("ALTER TABLE task ADD COLUMN share INTEGER NOT NULL DEFAULT 0")
    db.execute("ALTER TABLE task ADD COLUMN rank BLOB NOT NULL DEFAULT 0")
    db.execute("DROP INDEX task_ready")
    db.execute("DROP INDEX task_redo")
    db.execute(
        "CREATE INDEX task_ready ON task (stage, behind, alone, share, rank, unit) WHERE state = 'ready' AND due IS NULL"
    )
    db.execute("CREATE INDEX task_due ON task (due) WHERE due IS NOT NULL")
    db.execute("CREATE INDEX task_redo ON task (stage, behind, rank, unit) WHERE redo <> 0")


def add_until(db: sqlite3.Connection) -> None:
    """Let a veto hold until a time."""
    db.execute("ALTER TABLE veto ADD COLUMN until REAL")
    db.execute("CREATE INDEX veto_until ON veto (until) WHERE lifted IS NULL AND until IS NOT NULL")


def index_attempts(db: sqlite3.Connection) -> None:
    """Find the attempts of a job."""
    db.execute("CREATE INDEX attempt_job ON attempt (job)")


def record_software(db: sqlite3.Connection) -> None:
    """Keep what tasks ran with."""
    db.execute("ALTER TABLE life ADD COLUMN software TEXT")


def record_moves(db: sqlite3.Connection) -> None:
    """Keep where products were made that are elsewhere since."""
    db.execute(
        "CREATE TABLE moved (path TEXT PRIMARY KEY, declared TEXT NOT NULL, stage INTEGER NOT NULL,"
        " unit INTEGER NOT NULL, batch INTEGER NOT NULL) WITHOUT ROWID"
    )
    db.execute("CREATE INDEX moved_declared ON moved (declared)")
    db.execute("CREATE INDEX moved_by ON moved (stage, unit)")


def keep_configuration(db: sqlite3.Connection) -> None:
    """Keep files that stages depend on."""
    db.execute("CREATE TABLE configuration (mark TEXT PRIMARY KEY, content BLOB NOT NULL) WITHOUT ROWID")


def overlook(db: sqlite3.Connection) -> None:
    """Keep the reasons of failed tasks beside each other, and count all for groups of the coarsest level: for who looks on."""
    db.execute("DROP INDEX task_failed")
    db.execute("CREATE INDEX task_failed ON task (stage, unit, state, why) WHERE state = 'failed'")
    finer = "stage IN (SELECT id FROM stage WHERE level > 1)"
    db.execute(f"DELETE FROM tally WHERE {finer} AND unit IN (SELECT id FROM unit WHERE level = 1)")
    for state, which in (("state", ""), ("'stale'", "AND stale IS NOT NULL")):
        db.execute(
            f"INSERT INTO tally SELECT t.stage, u.g1, {state}, count(*) FROM task t JOIN unit u ON u.id = t.unit"
            f" WHERE t.{finer} {which} GROUP BY 1, 2, 3"
        )


#: version → the step that leads from it to the next one
STEPS: dict[int, Step] = {
    1: add_elements,
    2: second_look,
    3: add_absences,
    4: add_travels,
    5: add_notices,
    6: stand_for_years,
    7: record_software,
    8: record_moves,
    9: keep_configuration,
    10: overlook,
}


def schema() -> str:
    """Return the SQL that makes a new ledger."""
    from importlib.resources import files

    return files("penstock.ledger").joinpath("schema.sql").read_text("utf-8")


def create(db: sqlite3.Connection) -> None:
    """Make a new ledger in an empty database, unless another process just does."""
    try:
        db.executescript(
            f"BEGIN IMMEDIATE;{schema()}"
            "INSERT INTO unit (id, level, key, origin) VALUES (1, 0, '[]', 'group');"
            "INSERT INTO lease (id, epoch) VALUES (1, 0);"
            f"PRAGMA user_version = {VERSION};COMMIT;"
        )
    except sqlite3.OperationalError:
        if db.in_transaction:
            db.execute("ROLLBACK")
        if db.execute("PRAGMA user_version").fetchone()[0] == 0:
            raise


def migrate(db: sqlite3.Connection, name: str) -> None:
    """Bring `db` to this version; `name` is for messages. Raises LedgerError if it is newer than we are."""
    version = version_of(db, name)
    if version > VERSION:
        raise LedgerError(
            f"{name} was written by a newer penstock (ledger version {version}, here {VERSION}): upgrade penstock"
        )
    if version == 0:
        create(db)
    while 0 < version < VERSION:
        step_from(db, version)
        version = version_of(db, name)


def step_from(db: sqlite3.Connection, version: int) -> None:
    """Lead from one version to the next, unless another process just did."""
    db.execute("BEGIN IMMEDIATE")
    try:
        if db.execute("PRAGMA user_version").fetchone()[0] == version:
            STEPS[version](db)
            db.execute(f"PRAGMA user_version = {version + 1}")
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:  # a full disk has rolled back by itself, and its error is the one to tell
            db.execute("ROLLBACK")
        raise


def version_of(db: sqlite3.Connection, name: str) -> int:
    """Return the ledger's version; 0 if it is empty."""
    try:
        return int(db.execute("PRAGMA user_version").fetchone()[0])
    except sqlite3.OperationalError:  # the place is at fault, not what is in the file
        raise
    except sqlite3.DatabaseError as error:
        raise Corrupt(f"{name} is not a ledger ({error}): {REMEDY}, or move it away and run again") from error

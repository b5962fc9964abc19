"""A ledger of any older version opens, and one of a newer version is refused."""

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from penstock.errors import Corrupt, Held, LedgerError
from penstock.host import boot_id, hostname, start_time
from penstock.ledger import FILE, FOLDER, Ledger, migrations
from penstock.ledger.hosts.lease import held
from penstock.ledger.requests import ask
from penstock.testing import ManualClock

OLD = Path(__file__).parent / "old"  # the schema of each version, as it was when that version was made


def file_of(root: Path) -> Path:
    return root / FOLDER / FILE


def columns(db: sqlite3.Connection) -> dict[str, list[str]]:
    tables = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {table: sorted(row[1] for row in db.execute(f"PRAGMA table_info({table})")) for table in tables}


def indexes(db: sqlite3.Connection) -> set[str]:
    return {row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'index'")}


def old_ledger(root: Path, version: int) -> Path:
    """Make a ledger as the penstock of that version did."""
    path = file_of(root)
    path.parent.mkdir(mode=0o700)
    with closing(sqlite3.connect(path)) as db:
        db.executescript((OLD / f"{version}.sql").read_text())
        db.executescript(
            "INSERT INTO unit (id, level, key, origin) VALUES (1, 0, '[]', 'group'), (2, 1, '[\"a\"]', 'source');"
            "INSERT INTO lease (id, epoch) VALUES (1, 4);"
            "INSERT INTO stage (id, name, level, position, digest, definition) VALUES (1, 'make', 1, 0, 'd', '{}');"
            "INSERT INTO task (stage, unit, state, made) VALUES (1, 2, 'done', 'd');"
            f"INSERT INTO tally VALUES (1, 1, 'done', 1); PRAGMA user_version = {version};"
        )
    return path


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as made:
        yield made


def test_every_version_so_far_has_its_old_schema_among_the_tests() -> None:
    assert sorted(int(path.stem) for path in OLD.glob("*.sql")) == list(range(1, migrations.VERSION + 1))


def test_the_newest_schema_is_the_one_that_new_ledgers_have(db: sqlite3.Connection) -> None:
    db.executescript((OLD / f"{migrations.VERSION}.sql").read_text())
    with closing(sqlite3.connect(":memory:")) as new:
        migrations.create(new)
        assert columns(db) == columns(new)
        assert indexes(db) == indexes(new)


@pytest.mark.parametrize("version", range(1, migrations.VERSION + 1))
def test_an_old_ledger_opens_with_all_that_is_in_it(tmp_path: Path, version: int) -> None:
    old_ledger(tmp_path, version)
    with Ledger.open(tmp_path) as ledger, closing(sqlite3.connect(":memory:")) as new:
        migrations.create(new)
        assert ledger.db.execute("SELECT state FROM task").fetchone()[0] == "done"
        assert columns(ledger.db) == columns(new)
        assert indexes(ledger.db) == indexes(new)


@pytest.mark.parametrize("version", range(1, migrations.VERSION + 1))
def test_who_only_reads_can_open_an_old_ledger_too(tmp_path: Path, version: int) -> None:
    old_ledger(tmp_path, version)
    with Ledger.open(tmp_path, readonly=True) as ledger:
        assert migrations.version_of(ledger.db, "it") == migrations.VERSION


def hold_as_older(path: Path, pid: int) -> None:
    """Let a conductor of the penstock that made an old ledger be at work with it."""
    me = (hostname(), boot_id(), pid, start_time(os.getpid()), 1e12)
    with closing(sqlite3.connect(path)) as db:
        db.execute(
            "UPDATE lease SET host = ?, boot = ?, pid = ?, start = ?, command = 'run', since = 1, expires = ?",
            me,
        )
        db.commit()


@pytest.mark.parametrize("version", range(1, migrations.VERSION))
def test_a_ledger_that_an_older_penstock_works_with_is_left_as_it_is(tmp_path: Path, version: int) -> None:
    path = old_ledger(tmp_path, version)
    hold_as_older(path, os.getpid())
    with Ledger.open(tmp_path, readonly=True) as ledger:
        assert ledger.db.execute("SELECT state FROM task").fetchone()[0] == "done"
    with pytest.raises(Held, match="of an older penstock: end it with `penstock down`"):
        Ledger.open(tmp_path)
    assert ask(tmp_path, "down", {}, "me@here").startswith("asked: `penstock run`")
    (left,) = (tmp_path / FOLDER / "requests").iterdir()
    assert json.loads(left.read_bytes())["action"] == "down"
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone()[0] == version


@pytest.mark.parametrize("version", range(1, migrations.VERSION))
def test_a_ledger_whose_older_penstock_has_ended_is_brought_up_to_date(tmp_path: Path, version: int) -> None:
    hold_as_older(old_ledger(tmp_path, version), 1_000_000_000)
    with held(tmp_path, command="run", clock=ManualClock()) as ledger:
        assert migrations.version_of(ledger.db, "it") == migrations.VERSION


def test_a_conductor_whose_ledger_was_brought_up_to_date_ends_with_a_sentence(tmp_path: Path) -> None:
    with held(tmp_path, command="run", clock=ManualClock()) as ledger:
        ledger.db.execute(f"PRAGMA user_version = {migrations.VERSION + 1}")
        with pytest.raises(LedgerError, match="by a newer penstock: this conductor stops"):
            ledger.set_problem("x", "y", 1.0)
        ledger.db.execute(f"PRAGMA user_version = {migrations.VERSION}")


def test_each_step_leads_to_the_next_version(db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    migrations.create(db)
    steps = {
        migrations.VERSION + n: lambda db, n=n: db.execute(f"INSERT INTO meta VALUES ('step', {n})")
        for n in range(1)
    }
    monkeypatch.setattr(migrations, "STEPS", steps)
    monkeypatch.setattr(migrations, "VERSION", migrations.VERSION + 1)
    migrations.migrate(db, "it")
    assert db.execute("SELECT value FROM meta WHERE name = 'step'").fetchall() == [("0",)]
    assert migrations.version_of(db, "it") == migrations.VERSION


def test_a_step_that_fails_leaves_the_old_version(
    db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(db: sqlite3.Connection) -> None:
        db.execute("INSERT INTO meta VALUES ('half', 'done')")
        raise KeyError

    migrations.create(db)
    version = migrations.VERSION
    monkeypatch.setattr(migrations, "STEPS", {version: fails})
    monkeypatch.setattr(migrations, "VERSION", version + 1)
    with pytest.raises(KeyError):
        migrations.migrate(db, "it")
    assert migrations.version_of(db, "it") == version
    assert db.execute("SELECT count(*) FROM meta WHERE name = 'half'").fetchone()[0] == 0


@pytest.mark.parametrize("readonly", [False, True])
def test_a_newer_ledger_is_refused_and_left_as_it_is(tmp_path: Path, readonly: bool) -> None:
    path = old_ledger(tmp_path, migrations.VERSION)
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {migrations.VERSION + 1}")
    with pytest.raises(LedgerError, match=r"newer penstock.*upgrade penstock"):
        Ledger.open(tmp_path, readonly=readonly)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone()[0] == migrations.VERSION + 1


def test_a_file_that_is_no_ledger_is_said_to_be_damaged(tmp_path: Path) -> None:
    path = file_of(tmp_path)
    path.parent.mkdir(mode=0o700)
    path.write_bytes(b"this is not a database, it is a shopping list" * 100)
    with pytest.raises(Corrupt, match="penstock ledger rebuild"):
        Ledger.open(tmp_path)


def test_a_campaign_that_never_ran_has_no_ledger_and_a_hint(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="penstock run"):
        Ledger.open(tmp_path)
    assert not file_of(tmp_path).exists()


def test_a_draft_is_a_copy_and_leaves_the_ledger_alone(tmp_path: Path) -> None:
    with Ledger.open(tmp_path, create=True) as ledger:
        ledger.set_meta("name", "winter")
    with Ledger.draft(tmp_path) as draft:
        assert draft.meta("name") == "winter"
        draft.set_meta("name", "summer")
    with Ledger.open(tmp_path, readonly=True) as ledger:
        assert ledger.meta("name") == "winter"


def test_what_changed_before_the_history_said_by_whom_stays_in_it_in_its_order(tmp_path: Path) -> None:
    path = old_ledger(tmp_path, 6)
    with closing(sqlite3.connect(path)) as db:
        db.executescript(
            "INSERT INTO history (at, unit, what, old, new) VALUES (5, 2, 'files', '1:2', '3:4'), (5, 1, 'field a', '1',"
            " '2'), (7, 2, 'files', '3:4', '1:2')"
        )
    with Ledger.open(tmp_path) as ledger:
        rows = ledger.db.execute("SELECT unit, n, at, what, old, new, stage, cause FROM history").fetchall()
    assert [tuple(row) for row in rows] == [
        (1, 1, 5.0, "field a", "1", "2", None, None),
        (2, 1, 5.0, "files", "1:2", "3:4", None, None),
        (2, 2, 7.0, "files", "3:4", "1:2", None, None),
    ]


def test_all_are_counted_for_groups_of_the_coarsest_level_from_version_11_on(tmp_path: Path) -> None:
    with closing(sqlite3.connect(old_ledger(tmp_path, 10))) as db, db:
        db.executescript(
            "INSERT INTO unit (id, level, key, g1, origin) VALUES (3, 2, '[\"a\", 1]', 2, 'source'),"
            " (4, 2, '[\"a\", 2]', 2, 'source'), (5, 2, '[\"a\", 3]', 2, 'source');"
            "INSERT INTO stage (id, name, level, position, digest, definition) VALUES (2, 'cut', 2, 1, 'd', '{}');"
            "INSERT INTO task (stage, unit, state, stale) VALUES (2, 3, 'done', 'old'), (2, 4, 'done', NULL),"
            " (2, 5, 'failed', NULL);"
            "INSERT INTO tally VALUES (2, 1, 'done', 2), (2, 1, 'failed', 1), (2, 1, 'stale', 1), (2, 2, 'done', 7);"
        )
    with Ledger.open(tmp_path) as ledger:
        counts = ledger.db.execute("SELECT stage, unit, state, n FROM tally ORDER BY 1, 2, 3").fetchall()
    of_group = [(2, 2, "done", 2), (2, 2, "failed", 1), (2, 2, "stale", 1)]
    assert [tuple(row) for row in counts] == [
        (1, 1, "done", 1), (2, 1, "done", 2), (2, 1, "failed", 1), (2, 1, "stale", 1), *of_group,
    ]  # fmt: skip

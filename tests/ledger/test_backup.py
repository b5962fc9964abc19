"""Backups of a record: made at any moment, brought back whole, and never mixed with what came after."""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from penstock.errors import Corrupt, Held, LedgerError
from penstock.ledger import FILE, FOLDER, Ledger
from penstock.ledger.backup import back_up, restore
from penstock.ledger.generation import begin_generation, note, numbers
from penstock.ledger.hosts.lease import held
from penstock.ledger.hosts.location import MARK
from penstock.machine import Machine
from penstock.testing import ManualClock


def write(root: Path, *values: str) -> None:
    """Work on a campaign: leave values in its record."""
    with held(root, command="run", clock=ManualClock()) as ledger:
        for value in values:
            ledger.set_meta("value", value)


def value_in(root: Path) -> str | None:
    with Ledger.open(root, readonly=True) as ledger:
        return ledger.meta("value")


def killed_after(root: Path, *values: str) -> None:
    """Leave a record as a killed conductor does: what it wrote last is in the `-wal`."""
    child = os.fork()
    if child == 0:
        with held(root, command="run", clock=ManualClock()) as ledger:
            for value in values:
                with ledger.transaction():
                    ledger.set_meta("value", value)
            os._exit(9)
    os.waitpid(child, 0)
    assert (root / FOLDER / f"{FILE}-wal").stat().st_size


def test_a_backup_has_what_was_written_and_brings_it_back(tmp_path: Path) -> None:
    write(tmp_path, "one")
    backup = back_up(tmp_path, tmp_path / "backup")
    write(tmp_path, "two")
    kept = restore(tmp_path, backup)
    assert value_in(tmp_path) == "one"
    with closing(sqlite3.connect(kept)) as db:
        assert db.execute("SELECT value FROM meta WHERE name = 'value'").fetchone()[0] == "two"
    write(tmp_path, "three")
    assert value_in(tmp_path) == "three"


def test_a_backup_can_be_made_while_somebody_works(tmp_path: Path) -> None:
    with held(tmp_path, command="run", clock=ManualClock()) as ledger:
        ledger.set_meta("value", "one")
        back_up(tmp_path, tmp_path / "backup")
        with pytest.raises(Held):
            restore(tmp_path, tmp_path / "backup", clock=ManualClock())
    assert (tmp_path / "backup").stat().st_mode & 0o777 == 0o600


def test_a_backup_is_brought_back_over_what_a_killed_conductor_left(tmp_path: Path) -> None:
    write(tmp_path, "one")
    backup = back_up(tmp_path, tmp_path / "backup")
    killed_after(tmp_path, "two", "three")
    restore(tmp_path, backup)
    assert value_in(tmp_path) == "one"


def test_epochs_go_on_behind_a_restored_record(tmp_path: Path) -> None:
    write(tmp_path, "one")
    backup = back_up(tmp_path, tmp_path / "backup")
    for _ in range(3):
        write(tmp_path, "two")
    with Ledger.open(tmp_path, readonly=True) as ledger:
        before = ledger.db.execute("SELECT epoch FROM lease").fetchone()[0]
    restore(tmp_path, backup)
    with Ledger.open(tmp_path, readonly=True) as ledger:
        epoch, pid = ledger.db.execute("SELECT epoch, pid FROM lease").fetchone()
    assert epoch > before
    assert pid is None


@pytest.mark.parametrize("way", ["copy", "copy of a running one's"])
def test_a_file_that_was_copied_over_a_live_wal_is_refused(tmp_path: Path, way: str) -> None:
    write(tmp_path, "one")
    if way == "copy":
        shutil.copy(tmp_path / FOLDER / FILE, tmp_path / "backup")
    else:
        back_up(tmp_path, tmp_path / "backup")
    killed_after(tmp_path, "two")
    shutil.copy(tmp_path / "backup", tmp_path / FOLDER / FILE)
    for _ in range(2):  # it stays refused, and what was copied stays as it was
        with pytest.raises(Corrupt, match="penstock ledger restore"):
            value_in(tmp_path)
        with pytest.raises(Corrupt, match="penstock ledger restore"):
            write(tmp_path, "three")
    restore(tmp_path, tmp_path / "backup")
    assert value_in(tmp_path) == "one"


def test_a_file_that_was_copied_over_a_record_at_rest_is_used(tmp_path: Path) -> None:
    write(tmp_path, "one")
    shutil.copy(tmp_path / FOLDER / FILE, tmp_path / "backup")
    write(tmp_path, "two")
    shutil.copy(tmp_path / "backup", tmp_path / FOLDER / FILE)
    assert value_in(tmp_path) == "one"


def test_what_a_killed_conductor_wrote_is_there_also_in_a_copy_of_the_whole_folder(tmp_path: Path) -> None:
    root, moved = tmp_path / "a", tmp_path / "b"
    root.mkdir()
    write(root, "one")
    killed_after(root, "two", "three")
    shutil.copytree(root, moved)
    assert value_in(root) == value_in(moved) == "three"
    write(moved, "four")
    assert value_in(moved) == "four"


def test_a_reader_that_holds_up_a_checkpoint_makes_nobody_take_the_record_for_another(tmp_path: Path) -> None:
    write(tmp_path, "one")
    with held(tmp_path, command="run", clock=ManualClock()) as ledger:
        ledger.set_meta("value", "two")
        with Ledger.open(tmp_path, readonly=True) as reader:
            reader.db.execute("BEGIN")
            assert reader.meta("value") == "two"
            ledger.set_meta("value", "three")
            assert not begin_generation(ledger.db)
            assert len(numbers(ledger.db)) == 2
            assert value_in(tmp_path) == "three"
            reader.db.execute("COMMIT")
        assert begin_generation(ledger.db)
        assert len(numbers(ledger.db)) == 1
        assert value_in(tmp_path) == "three"


def test_a_checkpoint_that_a_full_disk_cut_off_is_no_other_record(tmp_path: Path) -> None:
    """Its header has the new size already, and the pages behind it are in the `-wal` alone."""
    write(tmp_path, "one")
    file, cut = tmp_path / FOLDER / FILE, tmp_path / "cut" / FOLDER / FILE
    with held(tmp_path, command="run", clock=ManualClock()) as ledger:
        ledger.set_meta("value", "x" * 200_000)
        note(ledger.db, " ".join([*numbers(ledger.db), "4711"]), "4711")
        shutil.copytree(file.parent, cut.parent, ignore=shutil.ignore_patterns("*-shm"))
        ledger.db.execute("PRAGMA wal_checkpoint(PASSIVE)")
        whole = file.read_bytes()
    cut.write_bytes(whole[:-40_960])
    assert value_in(tmp_path / "cut") == "x" * 200_000


def test_a_young_record_is_in_its_own_file_soon(tmp_path: Path) -> None:
    with held(tmp_path, command="run", clock=ManualClock()) as ledger:
        ledger.set_meta("value", "x" * 200_000)
        ledger.check_in(0.0)
        assert (tmp_path / FOLDER / f"{FILE}-wal").stat().st_size < 50_000
        assert (tmp_path / FOLDER / FILE).stat().st_size > 200_000


def test_what_is_no_backup_is_not_to_be_restored_from_a_backup(tmp_path: Path) -> None:
    write(tmp_path, "one")
    (tmp_path / "notes").write_bytes(b"a page of notes that is longer than a header of SQLite's" * 20)
    with pytest.raises(LedgerError, match="notes is not a backup of a record: name one that"):
        restore(tmp_path, tmp_path / "notes")


@pytest.mark.parametrize("content", [b"", b"this is no record", b"SQLite format 3\0" + bytes(5000)])
def test_a_file_that_is_no_backup_is_refused_and_nothing_changes(tmp_path: Path, content: bytes) -> None:
    write(tmp_path, "one")
    (tmp_path / "backup").write_bytes(content)
    with pytest.raises(LedgerError):
        restore(tmp_path, tmp_path / "backup")
    with pytest.raises(LedgerError, match="there is no file"):
        restore(tmp_path, tmp_path / "nothing")
    assert value_in(tmp_path) == "one"


def test_a_damaged_record_is_set_aside_for_a_backup(tmp_path: Path) -> None:
    write(tmp_path, "one")
    backup = back_up(tmp_path, tmp_path / "backup")
    (tmp_path / FOLDER / FILE).write_bytes(b"rubbish" * 1000)
    kept = restore(tmp_path, backup)
    assert kept.read_bytes() == b"rubbish" * 1000
    assert value_in(tmp_path) == "one"


def test_a_record_beside_its_campaign_elsewhere_keeps_its_mark(tmp_path: Path, **_: Any) -> None:
    root, state = tmp_path / "shared", tmp_path / "state"
    root.mkdir()
    machine = Machine("login1", f"1 1 0:1 / {root} rw - nfs4 server:/x rw\n", (state,))

    def work(value: str) -> None:
        with held(root, command="run", clock=ManualClock(), machine=machine) as ledger:
            ledger.set_meta("value", value)

    work("one")
    backup = back_up(root, tmp_path / "backup", machine=machine)
    work("two")
    restore(root, backup, clock=ManualClock(), machine=machine)
    with Ledger.open(root, readonly=True, machine=machine) as ledger:
        assert ledger.meta("value") == "one"
        assert ledger.meta(MARK)
    work("three")
    with Ledger.open(
        root, readonly=True, machine=Machine("login2", machine.mounts, (tmp_path / "other",))
    ) as ledger:
        assert ledger.meta("value") == "three"

"""Single changed bytes anywhere in the record's files: each is repaired, told, or harmless."""

import os
import random
import shutil
import signal
import sqlite3
from pathlib import Path

import pytest
from tests.conductor.test_rebuilding import ATTEMPTS, PRODUCTS, SLOW, STAGES, TASKS, VETOES

from penstock.conductor.accepting import accept_record
from penstock.conductor.rebuilding import compare_with_archives
from penstock.config import load
from penstock.errors import LedgerError, PenstockError
from penstock.ledger import FILE, FOLDER, Ledger
from penstock.ledger.check import check_ledger
from penstock.ledger.stored import stored_graph
from penstock.ledger.witnesses import ahead

FLIPS = int(os.environ.get("PENSTOCK_FLIPS", "24"))
SEED = int(os.environ.get("PENSTOCK_SEED", "14"))
UNITS = "SELECT key, fields, fingerprint FROM unit ORDER BY id"
OTHERS = (
    "history",
    "cause",
    "request",
    "notice",
    "listener",
    "site",
    "lease",
    "job",
    "batch",
    "life",
    "missed",
    "meta",
    "tally",
)


def answers(root: Path) -> list[list[tuple]]:
    whole = [f"SELECT * FROM {table}" for table in OTHERS]
    with Ledger.open(root, readonly=True) as ledger:
        return [
            [tuple(row) for row in ledger.db.execute(sql)]
            for sql in (TASKS, ATTEMPTS, PRODUCTS, VETOES, UNITS, *whole)
        ]


def noted(root: Path) -> str | None:
    """Return what every command says that reads a record."""
    with Ledger.open(root, readonly=True) as ledger:
        return ledger.note


def told(root: Path) -> list[str]:
    """Return what penstock says is wrong with a record."""
    try:
        with Ledger.open(root, readonly=True) as ledger:
            wrong = check_ledger(ledger, stored_graph(ledger))
            wrong += ahead(ledger, [root / FOLDER / "jobs"], {})
        return [*wrong, *compare_with_archives(load(root))]
    except PenstockError as error:
        return [str(error)]
    except sqlite3.DatabaseError as error:
        return [f"sqlite: {error}"]


def files_of(root: Path) -> list[Path]:
    """Return the record's files: the database and what is beside it, requests, archives."""
    return sorted(
        p for p in (root / FOLDER).rglob("*") if p.is_file() and p.suffix != ".pyz" and p.stat().st_size
    )


def flip(file: Path, chance: random.Random) -> None:
    """Change a bit, in the database most often within what is used; the file's time stays, as when a disk fails."""
    data, times = bytearray(file.read_bytes()), file.stat()
    used = [n for n, byte in enumerate(data) if byte]
    data[chance.choice(used)] ^= 1 << chance.randrange(8)
    file.write_bytes(data)
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))


@pytest.fixture
def finished(lab):
    lab.define(STAGES, units=8).run()
    lab.ask("veto", unit=lab.unit("u3"), why="broken")
    return lab


@pytest.fixture
def killed(lab):
    """A campaign whose conductor was killed: what SQLite keeps beside the record is still there."""
    lab.define(SLOW, units=40)
    process = lab.start("run")
    lab.wait_until(lambda: lab.holder() and lab.runs().total() > 12, "some have begun")
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return lab


def put_back(root: Path, aside: Path) -> None:
    shutil.rmtree(root / FOLDER)
    shutil.copytree(aside, root / FOLDER)


def test_a_sound_record_agrees_with_its_archives(finished):
    assert told(finished.root) == []


def test_no_changed_byte_changes_an_answer_in_silence(finished, tmp_path_factory):
    before, chance, silent = answers(finished.root), random.Random(SEED), list[str]()
    aside = tmp_path_factory.mktemp("sound") / "record"
    shutil.copytree(finished.root / FOLDER, aside)
    for number in range(FLIPS):
        file = chance.choice([*files_of(finished.root), *[finished.root / FOLDER / FILE] * 3])
        flip(file, chance)
        try:
            now, said = answers(finished.root), noted(finished.root)
        except (PenstockError, sqlite3.DatabaseError, UnicodeDecodeError):
            now, said = None, "by every command"
        if file.name == FILE:
            assert said, f"{number}: a byte of the database"
        elif now != before and not told(finished.root):
            silent.append(f"{number}: {file.name}")
        put_back(finished.root, aside)
    assert silent == []


def test_with_a_changed_byte_nothing_is_run_until_a_person_has_decided(finished):
    finished.run()
    with sqlite3.connect(f"file:{finished.root / FOLDER / FILE}?immutable=1", uri=True) as db:
        data = db.serialize()
    file = finished.root / FOLDER / FILE
    times = file.stat()
    file.write_bytes(data.replace(b"broken", b"brokem"))
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    for _ in range(2):
        with pytest.raises(
            LedgerError, match=r"a byte of the record changed .*ledger rebuild.*ledger accept"
        ):
            finished.run()
    assert "a byte of the record changed" in finished.command("status").stderr
    accept_record(finished.root)
    finished.run()
    assert noted(finished.root) is None


def test_what_a_program_writes_is_not_taken_for_damage(finished):
    with sqlite3.connect(finished.root / FOLDER / FILE) as db:
        db.execute("UPDATE veto SET why = 'cloudy'")
    assert noted(finished.root) is None


def test_a_changed_byte_of_the_shared_memory_changes_nothing(killed, tmp_path_factory):
    aside = tmp_path_factory.mktemp("killed") / "record"
    going = shutil.ignore_patterns("*.reserve")  # of the runner, which goes on for a while
    shutil.copytree(killed.root / FOLDER, aside, ignore=going)
    before, chance = answers(killed.root), random.Random(SEED)
    for _ in range(FLIPS):
        put_back(killed.root, aside)
        flip(killed.root / FOLDER / f"{FILE}-shm", chance)
        assert answers(killed.root) == before

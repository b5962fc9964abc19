"""Single changed bytes anywhere in the record's files: each is repaired, told, or harmless."""

import os
import random
import shutil
import sqlite3
from pathlib import Path

import pytest
from tests.conductor.test_rebuilding import ATTEMPTS, PRODUCTS, STAGES, TASKS, VETOES

from penstock.conductor.rebuilding import compare_with_archives
from penstock.config import load
from penstock.errors import PenstockError
from penstock.ledger import FOLDER, Ledger
from penstock.ledger.check import check_ledger
from penstock.ledger.stored import stored_graph
from penstock.ledger.witnesses import ahead

FLIPS = int(os.environ.get("PENSTOCK_FLIPS", "24"))
SEED = int(os.environ.get("PENSTOCK_SEED", "14"))
UNITS = "SELECT key, fields, fingerprint FROM unit ORDER BY id"


def answers(root: Path) -> list[list[tuple]]:
    with Ledger.open(root, readonly=True) as ledger:
        return [
            [tuple(row) for row in ledger.db.execute(sql)]
            for sql in (TASKS, ATTEMPTS, PRODUCTS, VETOES, UNITS)
        ]


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
    """Change a bit, in the database most often within what is used."""
    data = bytearray(file.read_bytes())
    used = [n for n, byte in enumerate(data) if byte]
    data[chance.choice(used)] ^= 1 << chance.randrange(8)
    file.write_bytes(data)


@pytest.fixture
def finished(lab):
    lab.define(STAGES, units=8).run()
    lab.ask("veto", unit=lab.unit("u3"), why="broken")
    return lab


def test_a_sound_record_agrees_with_its_archives(finished):
    assert told(finished.root) == []


def test_no_changed_byte_changes_an_answer_in_silence(finished, tmp_path_factory):
    before, chance, silent = answers(finished.root), random.Random(SEED), list[str]()
    aside = tmp_path_factory.mktemp("sound") / "record"
    shutil.copytree(finished.root / FOLDER, aside)
    for number in range(FLIPS):
        file = chance.choice([*files_of(finished.root), *[finished.root / FOLDER / "ledger.sqlite"] * 3])
        flip(file, chance)
        try:
            now = answers(finished.root)
        except (PenstockError, sqlite3.DatabaseError, UnicodeDecodeError):
            now = None  # told by every command
        if now is not None and now != before and not told(finished.root):
            silent.append(f"{number}: {file.name}")
        shutil.rmtree(finished.root / FOLDER)
        shutil.copytree(aside, finished.root / FOLDER)
    assert silent == []

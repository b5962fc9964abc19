"""Which campaigns are shown: their folders by short names that stand in addresses."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from penstock.display import show_refusal
from penstock.errors import DefinitionError, LedgerError
from penstock.ledger import FOLDER, Ledger
from penstock.ledger.files import explained
from penstock.ledger.hosts.location import find_location
from penstock.machine import Machine

PATIENCE_S, STEPS = 10.0, 100_000  # that a page may take, and between two looks at the clock
MARKS = ("penstock.toml", "campaign.py", FOLDER)


@dataclass(frozen=True, slots=True)
class Shown:
    """One campaign: its name in addresses, and its folder."""

    name: str
    root: Path

    def open(self) -> Ledger:
        """Open its record for reading, or the copy of it; each time anew, since it may have moved or been replaced."""
        return Ledger.open(self.root, readonly=True)

    @contextmanager
    def reading(self) -> Generator[Ledger]:
        """Open its record for a page; raises LedgerError for what is wrong with it, and for a question that takes too long."""
        with said(), self.open() as ledger, patient(ledger):
            yield ledger

    def place(self) -> Path:
        """Return the file that its record is read from; raises LedgerError if there is none."""
        return find_location(self.root, Machine.here()).path


@contextmanager
def patient(ledger: Ledger) -> Generator[None]:
    """Give a page its time; raises LedgerError for what takes longer, and for what is wrong with the record."""
    until = time.monotonic() + PATIENCE_S
    ledger.db.set_progress_handler(lambda: time.monotonic() > until, STEPS)
    with said():
        try:
            yield
        except sqlite3.OperationalError as error:
            if "interrupted" not in str(error):
                raise
            raise LedgerError("that takes too long to look for: name a group, a stage or a state") from error


@contextmanager
def said() -> Generator[None]:
    """Turn what the system and SQLite refuse into one sentence; raises LedgerError."""
    try:
        with explained():
            yield
    except OSError as error:
        raise LedgerError(
            f"{show_refusal(error)}; whoever serves this page must be able to read it"
        ) from error


def shown_in(folders: Iterable[Path]) -> Mapping[str, Shown]:
    """Return the campaigns in some folders by name; raises DefinitionError for a folder that is none."""
    found = dict[str, Shown]()
    for root in dict.fromkeys(folder.absolute() for folder in folders):
        if not any((root / mark).exists() for mark in MARKS):
            raise DefinitionError(
                f"{root} is not a campaign: it has no penstock.toml, campaign.py or {FOLDER}"
            )
        stem = re.sub(r"[^A-Za-z0-9_]+", "-", root.name).strip("-") or "campaign"
        name, number = stem, 1
        while name in found:
            number += 1
            name = f"{stem}-{number}"
        found[name] = Shown(name, root)
    return found

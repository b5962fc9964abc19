"""Which campaigns are shown: their folders by short names that stand in addresses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from penstock.errors import DefinitionError
from penstock.ledger import FOLDER, Ledger
from penstock.ledger.hosts.location import find_location
from penstock.machine import Machine

MARKS = ("penstock.toml", "campaign.py", FOLDER)


@dataclass(frozen=True, slots=True)
class Shown:
    """One campaign: its name in addresses, and its folder."""

    name: str
    root: Path

    def open(self) -> Ledger:
        """Open its record for reading, or the copy of it; each time anew, since it may have moved or been replaced."""
        return Ledger.open(self.root, readonly=True)

    def place(self) -> Path:
        """Return the file that its record is read from; raises LedgerError if there is none."""
        return find_location(self.root, Machine.here()).path


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

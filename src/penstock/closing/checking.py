"""The seals that a record has: where they are, whether all is as it was sealed, and keeping one that is replaced."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from penstock.closing.group import group_in
from penstock.closing.seals import Fault, check_seal, keep
from penstock.display import Labels
from penstock.errors import DefinitionError
from penstock.ledger import Ledger

SEALED = (
    "SELECT p.path, p.digest, s.level, u.key FROM unit u CROSS JOIN stage s CROSS JOIN product p"
    " ON p.stage = s.id AND p.unit = u.id AND p.name = 'seal' WHERE u.id = ?"
    " AND s.name LIKE 'close.%.seal' AND s.level = u.level AND p.digest IS NOT NULL"
)


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of reading a sealed group again."""

    group: str
    seal: Path
    faults: list[Fault]


def check(ledger: Ledger, unit: int) -> Checked:
    """Read all files of a sealed group again; raises DefinitionError if it has no seal."""
    labels = Labels.read(ledger.db)
    row = ledger.db.execute(SEALED, (unit,)).fetchone()
    if row is None:
        key = ledger.db.execute("SELECT key FROM unit WHERE id = ?", (unit,)).fetchone()[0]
        raise DefinitionError(f"{labels.label(key)} has no seal: it was not closed yet")
    with group_in(ledger.root, labels.level(row["level"]), row["key"], ()) as group:
        paths = [product.path for product in group.products()]
    seal = ledger.root / row["path"]
    return Checked(
        labels.label(row["key"]), seal, check_seal(ledger.root, seal, recorded=row["digest"], paths=paths)
    )


def keep_seal(root: Path, unit: int) -> Path | None:
    """Keep the seal of a group that is about to be opened; return where, or None if it has none that can be read."""
    with Ledger.open(root, readonly=True) as ledger:
        row = ledger.db.execute(SEALED, (unit,)).fetchone()
    path = row and root / row["path"]
    return keep(path) if path and path.is_file() else None

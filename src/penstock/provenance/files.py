"""Which task made a file, or which units have it as an input: by its path, else by its content."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from penstock.display import show_bytes
from penstock.errors import DefinitionError
from penstock.ledger import Ledger
from penstock.ledger.moved import present_paths
from penstock.runner.digests import digest_file


@dataclass(frozen=True, slots=True)
class Found:
    """A file that the record knows; `stage` is the name of the one that made it, None for an input."""

    path: str
    units: tuple[int, ...]
    stage: str | None = None
    product: str | None = None
    bytes: int | None = None
    sha256: str | None = None
    now: str = ""  # how what is there differs from that; empty: it does not, as far as size and time tell
    readers: tuple[str, ...] = ()  # stages whose definition depends on it


def find_file(ledger: Ledger, text: str) -> Found:
    """Find a file by its path, which may start at the campaign, here or at /; else a copy of a product, by its content.

    Raises DefinitionError if the record does not know it.
    """
    names = spellings(ledger.root, text)
    found = product_at(ledger, names) or input_at(ledger, names) or configuration_at(ledger, names)
    found = found or within_folder(ledger, names) or copy_of(ledger, text)
    if found is None:
        raise DefinitionError(
            f"the record knows no file {text!r}: `penstock status` shows whether it was made yet, and -C DIR names"
            " another campaign"
        )
    return found


def spellings(root: Path, text: str) -> list[str]:
    """Return how the record may call a path: as it was typed, or as it is seen from the campaign's folder."""
    names = [text, text.removeprefix("./").rstrip("/")]
    for absolute in dict.fromkeys((os.path.abspath(text), os.path.realpath(text))):
        path = Path(absolute)
        names += [str(path.relative_to(root))] if path.is_relative_to(root) else [absolute]
    return list(dict.fromkeys(names))


def product_at(ledger: Ledger, names: list[str]) -> Found | None:
    """Return the product that has one of these paths, or had it before it was moved, and was made."""
    row = ledger.db.execute(
        "SELECT p.*, s.name AS stage_name FROM product p JOIN stage s ON s.id = p.stage WHERE p.digest IS NOT NULL"
        " AND p.path IN (SELECT value FROM json_each(?))",
        (json.dumps(present_paths(ledger.db, names)),),
    ).fetchone()
    if row is None:
        return None
    return Found(
        row["path"], (row["unit"],), row["stage_name"], row["name"], row["bytes"], row["digest"],
        difference(ledger.root / row["path"], row["bytes"], row["mtime_ns"]),
    )  # fmt: skip


def within_folder(ledger: Ledger, names: list[str]) -> Found | None:
    """Return the folder that is a product and has one of these files in it."""
    above = [str(folder) for name in names for folder in Path(name).parents if str(folder) not in (".", "/")]
    return product_at(ledger, above) if above else None


def input_at(ledger: Ledger, names: list[str]) -> Found | None:
    """Return an input file of units by one of these paths."""
    rows = ledger.db.execute(
        "SELECT u.id, u.fingerprint, n.value AS path FROM json_each(?) n CROSS JOIN unit u WHERE u.level > 0 AND"
        " (json_extract(u.fields, '$.path') = n.value OR EXISTS (SELECT 1 FROM json_each(u.fields, '$.paths') p"
        " WHERE p.value = n.value)) ORDER BY u.id",
        (json.dumps(names),),
    ).fetchall()
    if not rows:
        return None
    mark = rows[0]["fingerprint"] or ""
    size, _, time = mark.partition(":")
    now = difference(ledger.root / rows[0]["path"], int(size), int(time)) if "," not in mark and time else ""
    known = int(size) if "," not in mark and size.isdigit() else None
    return Found(rows[0]["path"], tuple(row["id"] for row in rows), bytes=known, now=now)


def configuration_at(ledger: Ledger, names: list[str]) -> Found | None:
    """Return a file of the campaign that definitions of stages depend on."""
    rows = ledger.db.execute(
        "SELECT s.name, c.key FROM json_each(?) n CROSS JOIN stage s, json_each(s.definition, '$.code') c"
        " WHERE c.key = n.value AND NOT s.removed ORDER BY s.position",
        (json.dumps(names),),
    ).fetchall()
    return Found(rows[0]["key"], (), readers=tuple(row["name"] for row in rows)) if rows else None


def copy_of(ledger: Ledger, text: str) -> Found | None:
    """Return the product that a file elsewhere is a copy of."""
    if not os.path.isfile(text):
        return None
    size, digest = digest_file(text)
    row = ledger.db.execute(
        "SELECT path FROM product WHERE digest = ? AND bytes = ? ORDER BY path LIMIT 1", (digest, size)
    ).fetchone()
    return product_at(ledger, [row[0]]) if row else None


def difference(path: Path, size: int | None, mtime_ns: int | None) -> str:
    """Say how a file differs from the record, by size and time; of a folder, whether it is there."""
    try:
        status = path.stat()
    except OSError:
        return "it is not there any more"
    if path.is_dir() or size is None:
        return ""
    if status.st_size != size:
        return f"what is there now is another file: {show_bytes(status.st_size)}, not {show_bytes(size)}"
    if mtime_ns is not None and status.st_mtime_ns != mtime_ns:
        return "it was written again since, or copied: `penstock ledger check --products` compares its bytes"
    return ""

"""The last output of what failed."""

from __future__ import annotations

from contextlib import suppress

from penstock.errors import Corrupt
from penstock.ledger import Ledger
from penstock.ledger.archive import read_stretch

TAIL_BYTES = 4096


def tail_of(ledger: Ledger, stage_id: int, *, lines: int = 8) -> list[str]:
    """Return the last lines that the newest failed attempt of a stage wrote, or else why it failed."""
    row = ledger.db.execute(
        "SELECT a.*, j.folder FROM attempt a JOIN job j ON j.id = a.job WHERE a.stage = ? AND a.outcome <> 'ok'"
        " ORDER BY a.id DESC LIMIT 1",
        (stage_id,),
    ).fetchone()
    if row is None:
        return []
    text = ""
    if row["log"] and row["log_bytes"]:
        skipped = max(0, row["log_bytes"] - TAIL_BYTES)
        file = ledger.root / row["folder"] / row["log"]
        with suppress(Corrupt):
            data = read_stretch(file, row["log_offset"] + skipped, row["log_bytes"] - skipped)
            text = (data or b"").decode(errors="replace").strip()
    return (text or row["why"] or row["outcome"]).splitlines()[-lines:]

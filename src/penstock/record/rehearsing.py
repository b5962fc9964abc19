"""What a request would come to, found out on a copy of the record."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from penstock.display import Labels
from penstock.ledger import Ledger
from penstock.ledger.requests import Requests, insert
from penstock.ledger.stored import stored_graph
from penstock.record.asking import whoami


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """The answer to a request that was not made, and whose history it would be in: stage (of a task) and unit."""

    answer: str
    tasks: Sequence[tuple[str | None, str]]


def rehearse(root: Path, action: str, target: Mapping[str, Any]) -> Rehearsal:
    """Apply a request to a private copy of the record."""
    now = time.time()
    with Ledger.draft(root) as draft, draft.transaction() as db:
        labels = Labels.read(db)
        number = insert(db, action, dict(target), whoami(), now)
        request = db.execute("SELECT * FROM request WHERE id = ?", (number,)).fetchone()
        db.execute("DELETE FROM history")
        answer = Requests(draft, stored_graph(draft)).answer(request, now)
        rows = db.execute(
            "SELECT s.name, u.key FROM history h JOIN unit u ON u.id = h.unit LEFT JOIN stage s ON s.id = h.stage"
            " ORDER BY h.unit, s.position"
        ).fetchall()
    return Rehearsal(answer, [(row[0], labels.label(row[1])) for row in rows])

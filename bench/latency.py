"""How long a finished unit waits before the next stage starts on it."""

from __future__ import annotations

import itertools
import sqlite3
import statistics
from pathlib import Path

from bench.campaigns import CHAIN, PENSTOCK, make
from bench.measure import run

ROUNDS = 7


def links_ms(scratch: Path) -> list[float]:
    """Return the waits, in milliseconds, between the links of a → b → c over one unit."""
    waits: list[float] = []
    for _ in range(ROUNDS):
        folder = make(scratch / "chain", CHAIN, 1)
        run([*PENSTOCK, "run"], cwd=folder)
        with sqlite3.connect(folder / ".penstock" / "ledger.sqlite") as ledger:
            rows = ledger.execute("SELECT began, ended FROM attempt ORDER BY stage").fetchall()
        waits += [(after[0] - before[1]) * 1000 for before, after in itertools.pairwise(rows)]
    return waits


def median_ms(scratch: Path) -> tuple[float, float]:
    """Return the median and the worst wait of a link."""
    waits = links_ms(scratch)
    return statistics.median(waits), max(waits)

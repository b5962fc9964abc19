"""Running points again: those that failed, and those that left no result."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from penstock.workflows.sweep.points import NAME
from penstock.workflows.sweep.results import Results


def find_failed(results: Results) -> list[str]:
    """Name the points that failed."""
    return [str(row[NAME]) for row in results.rows if row["state"] == "failed"]


def find_missing(results: Results) -> list[str]:
    """Name the points that are done and lack a result."""
    return [
        str(row[NAME])
        for row in results.rows
        if row["state"] == "done" and any(row.get(name) is None for name in results.numbers)
    ]


def ask_again(folder: Path, action: str, points: Sequence[str]) -> list[str]:
    """Ask for `retry` or `redo` of points; return the answers."""
    from penstock import record

    if not points:
        return []
    with record.open(folder) as opened:
        return [answer for point in points for answer in opened.ask(action, point, stage="run")]

"""Tables of the benchmarks' page."""

from __future__ import annotations

Row = tuple[str, ...]


def render(rows: list[Row]) -> list[str]:
    """Return a Markdown table."""
    head, *body = rows
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return lines + ["| " + " | ".join(row) + " |" for row in body]

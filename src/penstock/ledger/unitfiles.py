"""The files of a unit, by what its source found."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping

from penstock.campaign import Campaign, FileSource
from penstock.ledger.units import Values, parse

Seen = tuple[int, int]
"""Bytes of a file, and its time in ns."""


def sources_by_level(campaign: Campaign) -> dict[int, FileSource]:
    """Return the sources that find files, by the level of their units."""
    return {source.level: source for source in campaign.sources if isinstance(source, FileSource)}


def files_of(row: sqlite3.Row, sources: Mapping[int, FileSource], values: Values) -> Iterator[str]:
    """Yield the files of a unit, its companions after them, as its fingerprint has them."""
    fields, source = parse(row["fields"]), sources.get(row["level"])
    yield from [fields["path"]] if "path" in fields else fields.get("paths", ())
    for template in source.companions if source else ():
        yield template.render(values.of(row))


def marked_files(
    row: sqlite3.Row, sources: Mapping[int, FileSource], values: Values
) -> Iterator[tuple[str, str]]:
    """Yield the files of a unit, each with its part of the fingerprint; an empty one where that is not known."""
    marks, paths = (row["fingerprint"] or "").split(","), list(files_of(row, sources, values))
    yield from zip(paths, marks if len(marks) == len(paths) else [""] * len(paths), strict=True)


def seen_in(mark: str) -> Seen | None:
    """Return the size and time in a part of a fingerprint; None for a file that was not there.

    >>> seen_in("12:1700000000000000000"), seen_in("missing")
    ((12, 1700000000000000000), None)
    """
    size, colon, time = mark.partition(":")
    return (int(size), int(time)) if colon else None

"""The files of a unit, by what its source found."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping

from penstock.campaign import Campaign, FileSource
from penstock.ledger.units import Values, parse


def sources_by_level(campaign: Campaign) -> dict[int, FileSource]:
    """Return the sources that find files, by the level of their units."""
    return {source.level: source for source in campaign.sources if isinstance(source, FileSource)}


def files_of(row: sqlite3.Row, sources: Mapping[int, FileSource], values: Values) -> Iterator[str]:
    """Yield the files of a unit, its companions after them, as its fingerprint has them."""
    fields, source = parse(row["fields"]), sources.get(row["level"])
    yield from [fields["path"]] if "path" in fields else fields.get("paths", ())
    for template in source.companions if source else ():
        yield template.render(values.of(row))

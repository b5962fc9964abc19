"""Members of collections, and attempts, as CSV files beside a document."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from penstock.provenance.model import Entity, Member, Trace
from penstock.provenance.names import plain

MEMBERS = ("path", "bytes", "sha256", "unit", "size_and_time")


def members_name(entity: Entity) -> str:
    """Return the name of the file that lists a collection's members.

    >>> members_name(Entity("collection/dl1/product@0123456789abcdef", "collection", "products of dl1"))
    'members/dl1.product.01234567.csv'
    """
    name, _, digest = entity.id.removeprefix("collection/").partition("@")
    return f"members/{name.replace('/', '.')}.{digest[:8]}.csv"


def write_members(members: Sequence[Member]) -> str:
    """Return the members of a collection as CSV, in their order."""
    rows = ((plain(m.path), m.bytes, m.sha256, plain(m.unit), m.mark) for m in members)
    return table(MEMBERS, rows)


def member_files(trace: Trace) -> dict[str, str]:
    """Return the lists of all collections of a document, by name."""
    found = [entity for entity in trace.entities if entity.kind == "collection"]
    return {members_name(entity): write_members(entity.members) for entity in found}


def table(names: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    """Return a table as CSV; what is not known is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([["" if value is None else value for value in row] for row in rows])
    return text.getvalue()

"""Copies of the files that a definition depends on and that people want to find again in archives."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase

from penstock.campaign import Campaign
from penstock.config.syntax import digest_of
from penstock.errors import DefinitionError

MOST_BYTES = 1_000_000  # of one file: the record is small, and read often


def keep_configuration(db: sqlite3.Connection, campaign: Campaign, marks: Mapping[str, str]) -> None:
    """Keep the wanted files, `marks` by their paths, as far as their present contents are not kept yet.

    Raises DefinitionError if one is too large.
    """
    for path in wanted(campaign, marks):
        if db.execute("SELECT 1 FROM configuration WHERE mark = ?", (marks[path],)).fetchone():
            continue
        file = campaign.root / path
        try:
            size = file.stat().st_size
            content = file.read_bytes() if size <= MOST_BYTES else b""
        except OSError:
            continue  # it was there a moment ago: its stage says what is wrong when it runs
        if size > MOST_BYTES:
            raise DefinitionError(
                f"{file} has {size / 1e6:.1f} MB, and at most {MOST_BYTES / 1e6:.0f} MB of a file are kept:"
                " name fewer in `configuration` of [provenance]",
                file=campaign.file,
            )
        # Where it was written since, what was read is of another mark. That of a module is of its syntax.
        if file.suffix == ".py" or digest_of(content) == marks[path]:
            db.execute("INSERT INTO configuration (mark, content) VALUES (?, ?)", (marks[path], content))


def wanted(campaign: Campaign, marks: Mapping[str, str]) -> Iterator[str]:
    """Yield those files of the campaign's folder that `configuration` of [provenance] names."""
    patterns = campaign.provenance.configuration
    inside = (path for path in marks if not os.path.isabs(path))
    yield from (path for path in inside if any(fnmatchcase(path, pattern) for pattern in patterns))


def kept_content(db: sqlite3.Connection, mark: str) -> bytes | None:
    """Return the content of a file that is kept."""
    row = db.execute("SELECT content FROM configuration WHERE mark = ?", (mark,)).fetchone()
    return row and row[0]

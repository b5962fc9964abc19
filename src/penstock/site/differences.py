"""Products on the disk that are not as the record says: by a look at sizes and times, or by all their bytes."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISDIR

from penstock.ledger.products import ALTERED, LOST, Recorded
from penstock.runner.digests import digest_at
from penstock.runner.kinds import Odd

#: what the mtime may be rounded to, in ns, by file systems that keep it less exactly than the kernel first says
GRAINS = (100, 1_000, 1_000_000, 1_000_000_000, 2_000_000_000)

MISSING, DIFFERENT, UNREADABLE = "missing", "different", "unreadable"


@dataclass(frozen=True, slots=True)
class Difference:
    """A product that is not as it was made: whose it is, of which making, and what is wrong."""

    stage: int
    unit: int
    path: str
    digest: str
    mtime_ns: int | None
    kind: str
    why: str


def find_lost(root: Path, rows: list[Recorded]) -> Iterator[tuple[Recorded, str]]:
    """Yield the products that are not as they were made, and why; each folder is listed once."""
    folders = defaultdict[str, dict[str, Recorded]](dict)
    for row in rows:
        folder, _, name = row.path.rpartition("/")
        folders[folder][name] = row
    for folder, expected in folders.items():
        yield from lost_in(os.path.join(root, folder), expected)


def lost_in(folder: str, expected: Mapping[str, Recorded]) -> Iterator[tuple[Recorded, str]]:
    """Yield what is wrong with the products in one folder; nothing is known of one that cannot be read.

    What is as it was made is passed in this loop: nearly all are, and there may be many.
    """
    missing = dict(expected)
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                row = missing.pop(entry.name, None)
                if row is None:
                    continue
                try:
                    status = entry.stat()
                except FileNotFoundError:
                    yield row, say_missing(row)
                    continue
                same = status.st_size == row.bytes and status.st_mtime_ns == row.mtime_ns
                if not same and (why := why_changed(status, row)):
                    yield row, why
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError:
        return
    for row in missing.values():
        yield row, say_missing(row)


def say_missing(row: Recorded) -> str:
    """Return that a product is missing."""
    return f"product {row.path} is missing"


def why_changed(status: os.stat_result, row: Recorded) -> str | None:
    """Return how a product differs from what was made, by size and time; for a folder its own time counts."""
    if status.st_size != row.bytes and not S_ISDIR(status.st_mode):
        return f"product {row.path} changed: {row.bytes} → {status.st_size} bytes"
    made = row.mtime_ns
    if made is None or status.st_mtime_ns == made:
        return None
    rounded = any(status.st_mtime_ns == made // grain * grain for grain in GRAINS)
    return None if rounded else f"product {row.path} was rewritten"


def compare(root: Path, rows: Iterable[Recorded]) -> Iterator[Difference | None]:
    """Yield, of each product in turn, how it differs from what was made; None when it does not."""
    for row in rows:
        wrong = compare_one(os.path.join(root, row.path), row)
        yield Difference(
            row.stage, row.unit, row.path, row.digest, row.mtime_ns, *wrong
        ) if wrong else None  # fmt: skip


def compare_one(path: str, row: Recorded) -> tuple[str, str] | None:
    """Return what is wrong with one product, if anything; a link counts as its target, as everywhere."""
    named, place = f"{LOST}{row.path}", os.path.realpath(path)
    try:
        status = os.stat(place)
        if not S_ISDIR(status.st_mode) and status.st_size != row.bytes:
            return DIFFERENT, f"{named} changed: {row.bytes} → {status.st_size} bytes"
        same = digest_at(place) == (row.bytes, row.digest)
    except (FileNotFoundError, NotADirectoryError):
        return MISSING, f"{named} is missing"
    except Odd as odd:
        return DIFFERENT, f"{ALTERED}{row.path} differ from what was made: it {odd}"
    except OSError as error:
        return UNREADABLE, f"{named} cannot be read ({error.strerror}): its content is unknown"
    return None if same else (DIFFERENT, f"{ALTERED}{row.path} differ from what was made")

"""The index pages of the folders in a publication, written until they are of what is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

from penstock.publishing.index import MARK, PAGE, write_page
from penstock.transports.protocol import Entry, Transport, read_whole

ROUNDS = 10  # in which they are written again while others publish, too


def folders_of(paths: Sequence[str]) -> set[str]:
    """Return the folders that paths lead through; '' is the first.

    >>> sorted(folders_of(["dl1/2020-01-17/a.h5"]))
    ['', 'dl1', 'dl1/2020-01-17']
    """
    found = {""}
    for path in paths:
        above = path.rpartition("/")[0]
        while above and above not in found:
            found.add(above)
            above = above.rpartition("/")[0]
    return found


def write_pages(way: Transport, folders: Sequence[str]) -> None:
    """Write the index pages of folders, until they are of what is there: whoever publishes last writes the last ones."""
    for _ in range(ROUNDS):
        listed = {folder: seen_in(names) for folder, names in way.list(folders).items()}
        pages = {folder: write_page(folder, names) for folder, names in listed.items()}
        there = {folder: read_whole(way, at(folder, PAGE)) for folder in listed if PAGE in listed[folder]}
        others = [folder for folder, data in there.items() if data is not None and not data.startswith(MARK)]
        new = {at(f, PAGE): page for f, page in pages.items() if f not in others and there.get(f) != page}
        if not new:
            return
        way.write(new)


def seen_in(names: Mapping[str, Entry]) -> dict[str, Entry]:
    """Return a listing as it is now, without what goes meanwhile."""
    seen = dict[str, Entry]()
    for name in names:
        with suppress(KeyError):
            seen[name] = names[name]
    return seen


def at(folder: str, name: str) -> str:
    """Return the path of a name in a folder."""
    return f"{folder}/{name}" if folder else name

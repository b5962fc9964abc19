"""What is to be done to a folder so that it has what is wanted, by what is there and what of that we put there. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from penstock.publishing.manifest import Entry
from penstock.publishing.wanted import Item
from penstock.runner.below import Found


class Decision(NamedTuple):
    """Paths: to send, there already, to remove, and those of what somebody else put there; why something cannot be published."""

    send: list[str]
    kept: list[str]
    remove: list[str]
    found: set[str]
    refused: list[str]


def sizes_asked(items: Mapping[str, Item], ours: Collection[Entry]) -> dict[str, set[int]]:
    """Return all paths of concern, with the sizes that a file there has if it is one that we know."""
    asked = {path: {item.size} for path, item in items.items()}
    for entry in ours:
        asked.setdefault(entry.path, set()).add(entry.size)
    return asked


def in_the_way(there: Found, path: str) -> str | None:
    """Say what is at a path, or on the way to it, where no file can be."""
    return (
        f"{there.at} is {there.kind}" if there.kind and (there.kind, there.at) != ("a file", path) else None
    )


def decide(items: Mapping[str, Item], ours: Collection[Entry], found: Mapping[str, Found]) -> Decision:
    """Decide about each path; what is there and not ours is neither replaced nor removed.

    `ours` are files that we put there, or were about to; one that has other bytes by now is somebody else's.
    """
    known = {(entry.path, entry.digest) for entry in ours if entry.ours}
    decision = Decision([], [], [], set(), [])
    for path, item in items.items():
        there = found[path]
        if why := in_the_way(there, path):
            decision.refused.append(why)
        elif there.kind:
            if there.digest == item.digest:
                decision.kept.append(path)
                if (path, item.digest) not in known:
                    decision.found.add(path)
            elif (path, there.digest) in known:
                decision.send.append(path)
            else:
                decision.refused.append(f"{path} has other content that was not published from here")
        else:
            decision.send.append(path)
    for path in dict.fromkeys(entry.path for entry in ours):
        there = found[path]
        if path not in items and there.at == path and (path, there.digest) in known:
            decision.remove.append(path)
    return decision

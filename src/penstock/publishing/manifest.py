"""Manifests: what was published of a group, with digests, in a folder beside it that web servers do not list.

`<name>.json` is written last, and says that all of it is there; `<name>.sha256` has the same for `sha256sum --check`, from
the folder of the publication. `<name>.next` is there while something is changed: what is to come, and what was before.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from penstock.closing.seals import Listed, canonical_json, write_list
from penstock.errors import PenstockError
from penstock.outputs import MANIFESTS

MANIFEST, LIST, NEXT = ".json", ".sha256", ".next"


class Entry(NamedTuple):
    """A published file; not `ours`: it was there before, with the same bytes, and is never removed."""

    path: str
    size: int
    digest: str
    ours: bool = True


def name_of(campaign: str, publication: str, level: str, group: str) -> str:
    """Return the name of a group's manifest, without an end.

    >>> name_of("sky", "web", "run", "2020-01-17/01807")
    '.published/sky/web/run/2020-01-17/01807'
    """
    return "/".join([MANIFESTS, campaign, publication, *parts_of_group(level, group)])


def parts_of_group(level: str, group: str) -> list[str]:
    """Return the parts of a path for a group, by its level and label.

    >>> parts_of_group("run", "2020-01-17/..")
    ['run', '2020-01-17', '%2E%2E']
    """
    parts = [level] if level == "campaign" else [level, *group.split("/")]
    return [part if part.strip(".") else part.replace(".", "%2E") or "%" for part in parts]


def write_manifest(about: Mapping[str, str], entries: Iterable[Entry]) -> bytes:
    """Return a manifest; nothing in it has a time, so the same files have the same one."""
    files = [
        {"path": e.path, "bytes": e.size, "sha256": e.digest, **({} if e.ours else {"found": True})}
        for e in ordered(entries)
    ]
    return canonical_json({"format": 1, **about, "files": files})


def list_of(entries: Iterable[Entry]) -> bytes:
    """Return files as `sha256sum --check` reads them."""
    return write_list(Listed(entry.digest, entry.path) for entry in entries)


def ordered(entries: Iterable[Entry]) -> list[Entry]:
    """Return entries in the order of their paths."""
    return sorted(entries, key=lambda entry: (entry.path.encode(), entry.digest))


def read_manifest(data: bytes, name: str) -> list[Entry]:
    """Return what a manifest lists; raises PenstockError if it is none."""
    try:
        return [
            Entry(one["path"], one["bytes"], one["sha256"], not one.get("found", False))
            for one in json.loads(data)["files"]
        ]
    except (ValueError, KeyError, TypeError):
        raise PenstockError(f"{name} is no manifest any more: move it away, then publish again") from None

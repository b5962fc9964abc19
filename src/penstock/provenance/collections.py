"""Entities: single files, and collections whose size in a document does not depend on how many members they have."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence

from penstock.provenance.model import Entity, Member
from penstock.provenance.names import identifier, versioned


def file_entity(member: Member, *, folder: bool = False) -> Entity:
    """Return a file or folder as it was; one whose content is unknown is told apart by size and time."""
    mark = member.sha256 or (hashlib.sha256(member.mark.encode()).hexdigest() if member.mark else None)
    return Entity(
        versioned(identifier("file", member.path), mark),
        "folder" if folder else "file",
        member.path,
        member.path,
        member.bytes,
        member.sha256,
        {"unit": member.unit} | ({"size_and_time": member.mark} if not member.sha256 and member.mark else {}),
    )


def collection(name: Sequence[str], label: str, found: Sequence[Member]) -> Entity:
    """Return a collection: how many members it has, their size, and a digest of their paths and contents."""
    ordered = sorted(found, key=lambda member: os.fsencode(member.path))
    digest = hashlib.sha256()
    for member in ordered:
        digest.update(os.fsencode(member.path) + f"\0{member.sha256 or member.mark}\n".encode())
    sizes = [member.bytes for member in ordered]
    return Entity(
        versioned(identifier("collection", *name), digest.hexdigest()),
        "collection",
        label,
        bytes=sum(size for size in sizes if size is not None) if None not in sizes else None,
        sha256=digest.hexdigest(),
        details={"members": len(ordered)},
        members=tuple(ordered),
    )

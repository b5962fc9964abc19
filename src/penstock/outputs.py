"""What becomes of products: what documents say of them, where others see them, and where they lie in the end."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from penstock.units import Template

MANIFESTS = ".published"  # the folder of manifests, in that of a publication
OWN_FOLDERS = frozenset({MANIFESTS, ".penstock"})  # in which nobody's files are put


@dataclass(frozen=True, slots=True)
class Provenance:
    """What is said of the products as a whole, in documents for archives."""

    licence: str | None = None  # an SPDX name, or a URL
    title: str | None = None
    description: str | None = None
    authors: tuple[str, ...] = ()  # names, or `Name <URL>`
    environment: tuple[str, ...] = ()  # variables whose values are recorded where tasks run
    versions: Mapping[str, tuple[str, ...]] = field(
        default_factory=dict[str, tuple[str, ...]]
    )  # program → command that prints its version
    inputs: bool = True  # whether input files are digested where tasks run
    configuration: tuple[str, ...] = ()  # patterns of the files that are kept: those that stages depend on


@dataclass(frozen=True, slots=True)
class Shown:
    """Which products of a publication, or a destination, go where; `to` is a folder if it ends with a slash."""

    stage: str
    product: str | None = None  # None: all of the stage
    to: Template | None = None  # None: where it is in the campaign


@dataclass(frozen=True, slots=True)
class Publication:
    """What is shown to others, and where."""

    name: str
    to: str  # the folder, as people wrote it
    level: int  # each group of it has a manifest of its own
    files: tuple[Shown, ...]
    site: str | None = None  # whose host has the folder; None: this machine


@dataclass(frozen=True, slots=True)
class Destination:
    """Where products go when their group is closed."""

    name: str
    to: str  # the folder, as people wrote it
    files: tuple[Shown, ...]


def folder_at(root: Path, to: str) -> Path:
    """Return the folder that people wrote as `to`, for a campaign in `root`."""
    return Path(os.path.normpath(root / os.path.expanduser(to)))

"""Whether the products that an end names exist as it says."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from penstock.runner.digests import faults_in

Product = tuple[str, int, str]
"""Path below the campaign's folder, bytes, digest."""


def misfits(root: Path, products: Sequence[Product]) -> dict[str, str]:
    """Return the products that are missing or have another size, and what is wrong with each."""
    return told(faults_in((path, f"{root}/{path}", size, None) for path, size, _ in products))


def unproven(root: Path, products: Sequence[Product]) -> dict[str, str]:
    """Return the products whose bytes are not those of their digests; the others are made durable."""
    return told(faults_in((path, f"{root}/{path}", size, digest) for path, size, digest in products))


def told(faults: Mapping[str, str]) -> dict[str, str]:
    """Return what is wrong with products, each by a sentence that begins with its path."""
    return {path: f"{path} {why}" for path, why in faults.items()}


def look_again(root: Path, paths: Iterable[str]) -> None:
    """Change the folders of products, so that a network file system lists them anew (nfs(5), directory caching)."""
    for folder in {os.path.dirname(f"{root}/{path}") for path in paths}:
        look = f"{folder}/.look.{os.getpid()}"
        with suppress(OSError):
            os.mkdir(look)
            os.rmdir(look)


def nothing_at(root: Path, paths: Sequence[str]) -> list[str]:
    """Return those paths at which nothing lies, by a second look where there is no product by the first."""
    gone = [path for path in paths if not os.path.lexists(root / path)]
    look_again(root, gone)
    return [path for path in gone if not os.path.lexists(root / path)]

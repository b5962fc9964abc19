"""Whether the products that an end names exist as it says."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from penstock.runner.products import digest_file, digest_folder, sync_path, sync_tree

Product = tuple[str, int, str]
"""Path below the campaign's folder, bytes, digest."""


def misfits(root: Path, products: Sequence[Product]) -> dict[str, str]:
    """Return the products that are missing or have another size, and what is wrong with each."""
    whys = ((path, misfit(f"{root}/{path}", size)) for path, size, _ in products)
    return {path: f"{path} {why}" for path, why in whys if why}


def misfit(path: str, size: int) -> str | None:
    """Return what is wrong with one product by its metadata, if anything; a folder's size is not checked."""
    try:
        found = os.lstat(path)
    except OSError as error:
        return f"cannot be found ({error.strerror})"
    if stat.S_ISDIR(found.st_mode) or found.st_size == size:
        return None
    return f"has {found.st_size} bytes, not {size}"


def unproven(root: Path, products: Sequence[Product]) -> dict[str, str]:
    """Return the products whose bytes are not those of their digests; the others are made durable."""
    wrong = misfits(root, products)
    for path, _, digest in products:
        if path not in wrong and (why := unlike(f"{root}/{path}", digest)):
            wrong[path] = f"{path} {why}"
    return wrong


def unlike(path: str, digest: str) -> str | None:
    """Make one product durable and return what is wrong with its bytes, if anything."""
    try:
        found = digest_at(path)
        sync_tree(path)
        sync_path(os.path.dirname(path))
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return None if found[1] == digest else "it differs from what was made"


def digest_at(path: str) -> tuple[int, str]:
    """Return size and digest of a file or folder product."""
    return digest_folder(path) if os.path.isdir(path) else digest_file(path)


def look_again(root: Path, paths: Mapping[str, str]) -> None:
    """Change the folders of products, so that a network file system lists them anew (nfs(5), directory caching)."""
    for folder in {os.path.dirname(f"{root}/{path}") for path in paths}:
        look = f"{folder}/.look.{os.getpid()}"
        with suppress(OSError):
            os.mkdir(look)
            os.rmdir(look)

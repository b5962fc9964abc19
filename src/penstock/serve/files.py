"""Products for browsers: named by the record, read only beneath folders of the campaign, harmless whatever is in them."""

from __future__ import annotations

import os
import stat
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from penstock.display import is_utf8
from penstock.errors import DefinitionError
from penstock.explain import find_units
from penstock.ledger import Ledger
from penstock.ledger.stored import stored_copy
from penstock.outputs import folder_at
from penstock.record.reading import products_of
from penstock.record.rows import ProductRow

#: suffix → type that browsers show; all others are downloads
TYPES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".svg": "image/svg+xml",
    ".html": "text/html; charset=utf-8",
    ".htm": "text/html; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".csv": "text/plain; charset=utf-8",
    ".log": "text/plain; charset=utf-8",
    ".json": "text/plain; charset=utf-8",
}
PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".svg")
#: of what may hold scripts: it runs none, has no origin and asks for nothing
SANDBOX = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def find_product(ledger: Ledger, stage: str, unit: str, name: str) -> ProductRow | None:
    """Return a product of the record; None if it has no such one."""
    try:
        units = find_units(ledger, unit)
        found = products_of(ledger, units[0], stage) if len(units) == 1 else ()
        return next((product for product in found if product.name == name), None)
    except DefinitionError:
        return None


def roots_of(ledger: Ledger) -> Sequence[Path]:
    """Return the folders beneath which products are: the campaign's own, and those where `[move]` takes them."""
    moves = (stored_copy(ledger.db) or {}).get("move", {}).values()
    return [ledger.root, *(folder_at(ledger.root, table["to"]) for table in moves)]


@contextmanager
def open_beneath(roots: Sequence[Path], path: Path) -> Generator[BinaryIO]:
    """Open a regular file beneath one of some folders, going through no link; raises OSError for anything else."""
    with folder_beneath(roots, path.parent) as folder:
        number = os.open(path.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    with open(number, "rb") as stream:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            raise FileNotFoundError(f"{path} is not a file")
        yield stream


@contextmanager
def folder_beneath(roots: Sequence[Path], path: Path) -> Generator[int]:
    """Open one of some folders, or one beneath it, going through no link; raises OSError for anything else."""
    root = next((root for root in roots if path.is_relative_to(root)), None)
    parts = path.relative_to(root).parts if root else ()
    if root is None or ".." in parts:
        raise FileNotFoundError(f"{path} is not beneath {', '.join(map(str, roots))}")
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in parts:
            inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = inner
        yield folder
    finally:
        os.close(folder)


def file_of(product: ProductRow, part: str) -> Path:
    """Return the file of a product, or of a `part` of one that is a folder; raises DefinitionError if that leads out of it."""
    path = product.path / part
    if not path.is_relative_to(product.path) or ".." in Path(part).parts or "\0" in part:
        raise DefinitionError(f"{part} is not in {product.name}")
    return path


def is_picture(path: Path | str) -> bool:
    """Whether browsers show a file as a picture."""
    return Path(path).suffix.lower() in PICTURES


def pictures_in(roots: Sequence[Path], product: ProductRow) -> Sequence[str]:
    """Return the names of the pictures in a product that is a folder, in order; none of one that is not."""
    try:
        with folder_beneath(roots, product.path) as folder:
            return sorted(name for name in os.listdir(folder) if is_picture(name) and is_utf8(name))
    except OSError:
        return ()

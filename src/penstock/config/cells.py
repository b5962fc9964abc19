"""Files that were made of a notebook's cells: those that no definition names any more are removed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from penstock.config.saved import CELLS, FILE
from penstock.disk import read_whole, time_of

KEPT_NS = 3600 * 10**9  # since a kernel wrote or wanted it: its definition may be on the way
MADE = re.compile(
    r"_([0-9a-f]{12})\.(?:py|npy|pickle|csv|[\w-]+\.pyc)$"
)  # NAME_DIGEST.py, and what Python made of it
DRAFT = re.compile(r"^\..*\.\d+$")  # of a write that was killed


def remove_unnamed(root: Path, definitions: Iterable[str], now: float) -> None:
    """Remove what neither these definitions nor the saved one name; no job may be out that reads it."""
    folder, since = root / CELLS, int(now * 1e9) - KEPT_NS
    if not folder.is_dir():
        return
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    texts = [*(text.encode() for text in definitions), read_whole(root / FILE) or b""]
    texts += [read_whole(path) or b"" for path in named(files, texts) if path.suffix == ".py"]
    kept = {*named(files, texts)}
    for path in files:
        ours = MADE.search(path.name) or DRAFT.match(path.name)
        if ours and path not in kept and (time_of(path) or since) < since:
            path.unlink(missing_ok=True)


def named(files: Iterable[Path], texts: Iterable[bytes]) -> list[Path]:
    """Return the files made of cells whose digests are in one of these texts."""
    digests = {path: found[1].encode() for path in files if (found := MADE.search(path.name))}
    return [path for path, digest in digests.items() if any(digest in text for text in texts)]

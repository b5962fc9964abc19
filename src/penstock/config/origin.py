"""What a definition was read from: while that is unchanged, its frozen copy is used."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from penstock.config.code import mark_of
from penstock.config.draft import Draft
from penstock.config.programs import listing_of
from penstock.csvfile import read_header

CODE = ("campaign.py", "config", "functions.py", "units")  # that makes a campaign out of a draft


def origin_of(draft: Draft, copy: Mapping[str, Any]) -> str:
    """Digest all that `copy`, the frozen copy of a campaign, was made from: this code, the draft, files that it names."""
    read = (
        [*_code()],
        os.path.expanduser("~"),
        str(draft.root),
        str(draft.file),
        repr(draft.tables),
        [*draft.overrides],
        [mark_of(draft.root / path) for path in copy.get("looked", ())],
        [listing_of(stage, draft.root) for stage in copy["stages"]],
        [read_header(Path(source["path"])) for source in copy["sources"] if source["kind"] == "table"],
    )
    return hashlib.sha256(repr(read).encode(errors="surrogateescape")).hexdigest()


def _code() -> Iterator[tuple[str, int]]:
    """Yield the files of the code with their times: a checkout changes without another version."""
    here = Path(__file__).parents[1]
    for part in CODE:
        place = here / part
        for file in sorted(place.glob("*.py")) if place.is_dir() else [place]:
            yield str(file), file.stat().st_mtime_ns

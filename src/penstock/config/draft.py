"""A definition before it is checked: plain tables, from TOML or from the Python API."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from penstock.config.places import Keys


@dataclass
class Draft:
    """Tables as in `penstock.toml`, the folder they belong to, and the line of each key."""

    tables: dict[str, Any]
    root: Path
    file: Path | None = None
    lines: dict[Keys, int] = field(default_factory=dict[Keys, int])
    overrides: Sequence[str] = ()

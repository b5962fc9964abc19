"""Which fields of its unit, and of the groups above that, a stage's tasks use."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

from penstock.campaign import Stage

IN_TEMPLATE = re.compile(r"\{([A-Za-z_][\w.-]*)(?::[^{}]*)?\}")
SHARED = frozenset({"product", "cpus", "python", "scratch", "outdir", "fan"})  # the same whatever the unit is


def fields_used(stage: Stage, root: Path) -> tuple[str, ...] | None:
    """Name the fields and levels that a stage's command and templates name.

    None is all of them: nobody knows what a function reads of the fields that it is given.
    """
    if stage.python:
        return plain(stage.fields) if stage.fields else None
    texts = (IN_TEMPLATE.findall(text_of(root / path)) for path in stage.templates.values())
    return plain(chain(*(template.names for template in stage.command), *texts))


def fields_placed(stage: Stage) -> tuple[str, ...]:
    """Name the fields that determine a stage's product paths and upstreams."""
    keys = (template.names for after in stage.after for template in after.key)
    return plain(chain(*(product.path.names for product in stage.products), *keys))


def plain(names: Iterable[str]) -> tuple[str, ...]:
    """Keep of names those that belong to units."""
    return tuple(sorted({name for name in names if "." not in name} - SHARED))


def text_of(file: Path) -> str:
    """Return the text of a template; a missing one is reported by `check`."""
    try:
        return file.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""

"""Which fields of its unit, and of the groups above that, a stage's tasks are made from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from penstock.campaign import Stage

IN_TEMPLATE = re.compile(r"\{([A-Za-z_][\w.-]*)(?::[^{}]*)?\}")
SHARED = frozenset({"product", "cpus", "scratch", "outdir", "fan"})  # the same whatever the unit is


def fields_used(stage: Stage, root: Path) -> tuple[str, ...] | None:
    """Name the fields and levels that a stage's command, templates, products and upstream keys name.

    None is all of them: nobody knows what a function reads of the fields that it is given.
    """
    if stage.python:
        return None
    return tuple(sorted({name for name in names_in(stage, root) if "." not in name} - SHARED))


def names_in(stage: Stage, root: Path) -> Iterator[str]:
    """Yield all that the placeholders of a stage name."""
    for template in stage.command:
        yield from template.names
    for product in stage.products:
        yield from product.path.names
    for after in stage.after:
        for template in after.key:
            yield from template.names
    for path in stage.templates.values():
        yield from IN_TEMPLATE.findall(text_of(root / path))


def text_of(file: Path) -> str:
    """Return the text of a template; one that is not there `check` tells."""
    try:
        return file.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""

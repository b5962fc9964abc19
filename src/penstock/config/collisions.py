"""A product is never an input, wherever it is: refused where patterns and links show that it would be one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from penstock.campaign import Campaign, FileSource, Product, Stage, TableSource
from penstock.config.places import Places
from penstock.errors import DefinitionError
from penstock.units import Pattern, Placeholder

#: type → two values that stand for all
SAMPLES: dict[str, tuple[Any, Any]] = {
    "str": ("qvx1", "zkj2"),
    "int": (7, 12),
    "float": (1.5, 2.5),
    "bool": (True, False),
    "datetime": ("2001-02-03T04:05:06+00:00", "2011-12-13T14:15:16+00:00"),
}


def check_collisions(campaign: Campaign, places: Places) -> None:
    """Raise DefinitionError for a product that would replace an input, or be found as one."""
    named = {real(campaign.root, str(path)): path for path in named_files(campaign)}
    for stage in campaign.stages:
        for product in stage.products:
            why = why_named(product, campaign, named) or why_found(product, stage, campaign)
            if why:
                message = f"the product {product.path.text!r} of {stage.name!r} {why}"
                raise places.error(("stage", stage.name, "products", product.name), message)
    for name, stage, product in moved_products(campaign):
        if why := why_found(product, stage, campaign):
            message = f"what [move.{name}] puts at {product.path.text!r} {why}"
            raise places.error(("move", name, "files"), message)


def moved_products(campaign: Campaign) -> Iterator[tuple[str, Stage, Product]]:
    """Yield the products of stages as they are called once they were moved."""
    for name, table in campaign.move.items():
        for shown in table.files:
            stage = campaign.stage(shown.stage)
            for product in stage.products:
                if shown.product in (None, product.name):
                    own = product.path.text.rstrip("/")
                    to = own if shown.to is None else shown.to.text
                    if not to or to.endswith("/"):
                        to += own.rpartition("/")[2]
                    path = os.path.join(os.path.expanduser(table.to), to)
                    with suppress(DefinitionError):  # which has no one way to be read back
                        yield name, stage, replace(product, path=Pattern.parse(path))


def named_files(campaign: Campaign) -> Iterator[Path]:
    """Yield the files that a definition is made of or names."""
    if campaign.file:
        yield campaign.file
    for source in campaign.sources:
        if isinstance(source, TableSource):
            yield source.path
    for stage in campaign.stages:
        yield from (campaign.root / name for name in (*stage.templates.values(), *stage.code))
        yield from (campaign.root / name for program in stage.programs for name in program.files)


def why_named(product: Product, campaign: Campaign, named: dict[str, Path]) -> str | None:
    """Return which file of the definition a product without placeholders would replace."""
    if product.path.names:
        return None
    path = named.get(real(campaign.root, product.path.text.rstrip("/")))
    return (
        f"would replace {path.name}, which the definition names; write it to another path" if path else None
    )


def why_found(product: Product, stage: Stage, campaign: Campaign) -> str | None:
    """Explain why a product would be the input of its task, or a new unit."""
    for source in (s for s in campaign.sources if isinstance(s, FileSource)):
        found = [found_as(product, stage, source, campaign, n) for n in (0, 1)]
        if all(how == "input" for how in found):
            return "is its own input; write it to another path"
        if all(found):
            return f"would be found as a new unit by {source.pattern.text!r}; {remedy(product, source)}"
    return None


def found_as(
    product: Product, stage: Stage, source: FileSource, campaign: Campaign, number: int
) -> str | None:
    """Return what a source takes the product of a sample for: its `input`, a `unit`, or nothing."""
    values = sample(product, source, campaign, number)
    path = product.path_for([values[level] for level in campaign.levels[: stage.level]], values)
    if real(campaign.root, path) == real(campaign.root, values["path"]):
        return "input"
    seen = as_written(path, source.pattern, campaign.root)
    if seen is None or left_out(seen, source):
        return None
    return "unit" if isinstance(source.pattern.match(seen), dict) else None


def sample(product: Product, source: FileSource, campaign: Campaign, number: int) -> dict[str, Any]:
    """Return made-up values of a unit of a source, and of whatever else the product's path names."""
    kinds = {**campaign.types, **source.pattern.types}
    names = {*source.pattern.names, *product.path.names, *campaign.levels}
    values = {name: SAMPLES[kinds.get(name, "str")][number] for name in names}
    path = source.pattern.format(values)
    name = path.rpartition("/")[2]
    given = {"path": path, "name": name, "stem": name.rpartition(".")[0] or name}
    return values | {word: text for word, text in given.items() if word not in source.pattern.names}


def real(root: Path, path: str) -> str:
    """Return a path with all links above the file followed, and no `..`."""
    folder, name = os.path.split(os.path.join(root, path))
    return os.path.join(os.path.realpath(folder), name)


def as_written(path: str, pattern: Pattern, root: Path) -> str | None:
    """Return a path as `pattern` would write it, through links too; None when it is not under its folder."""
    head = head_of(pattern)
    place = os.path.join(os.path.realpath(os.path.join(root, head)), "")
    found = real(root, path)
    return head + found[len(place) :] if found.startswith(place) else None


def head_of(pattern: Pattern) -> str:
    """Return the folder of a pattern above its first placeholder, with a slash; empty for the campaign's own."""
    parts = pattern.template.parts
    head = parts[0] if isinstance(parts[0], str) else ""
    return head[: head.rfind("/") + 1]


def left_out(path: str, source: FileSource) -> bool:
    """Whether a source leaves out a path."""
    name = path.rpartition("/")[2]
    return any(fnmatchcase(path, glob) or fnmatchcase(name, glob) for glob in source.exclude)


def remedy(product: Product, source: FileSource) -> str:
    """Suggest how to keep a product from being found as a unit."""
    another = "write it to another folder"
    parts = ["*" if isinstance(part, Placeholder) else part for part in product.path.template.parts]
    glob = "".join(parts).rpartition("/")[2]
    theirs = ["*" if isinstance(part, Placeholder) else part for part in source.pattern.template.parts]
    if fnmatchcase("".join(theirs).rpartition("/")[2].replace("*", "x"), glob):
        return another
    return f'{another}, or add exclude = ["{glob}"] to the source'

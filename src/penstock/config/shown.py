"""Which products go where, as the tables `[publish.NAME]` and `[move.NAME]` say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from penstock.campaign import Stage
from penstock.config.places import Keys, Places, nearest
from penstock.config.publishtables import ShownTable
from penstock.config.sources import Fields, placed
from penstock.outputs import OWN_FOLDERS, Shown
from penstock.units import Template, unknown_name

Table = Literal["publish", "move"]
VERBS: Mapping[Table, tuple[str, str]] = {"publish": ("publishes", "published"), "move": ("moves", "moved")}


def shown(
    kind: Table, name: str, table: ShownTable, stages: dict[str, Stage], fields: Fields, places: Places
) -> Shown:
    """Return which products go where."""
    keys: Keys = (kind, name, "files")
    if table.stage not in stages:
        message = f"{name!r} {VERBS[kind][0]} products of a stage {table.stage!r}, which is not there"
        raise places.error(keys, f"{message}; {nearest(table.stage, [*stages])}")
    stage = stages[table.stage]
    known = [product.name for product in stage.products]
    if table.product is not None and table.product not in known:
        message = (
            f"the stage {table.stage!r} has no product {table.product!r}; {nearest(table.product, known)}"
        )
        raise places.error(keys, message)
    if table.product is None and not known:
        raise places.error(keys, f"the stage {table.stage!r} has no products; name one that has")
    to = None if table.to is None else destination(kind, table, stage, fields, places, keys)
    return Shown(table.stage, table.product, to)


def destination(
    kind: Table, table: ShownTable, stage: Stage, fields: Fields, places: Places, keys: Keys
) -> Template:
    """Parse where products go; it stays in the folder, and names what the units of the stage have."""
    text = str(table.to).removeprefix("./")
    parts = text.removesuffix("/").split("/")
    is_ours = not OWN_FOLDERS.isdisjoint(parts)
    if text.startswith(("/", "~")) or ".." in parts or is_ours or (not all(parts) and text):
        raise places.error(
            keys, f'{text!r} is no place below the folder; write one such as "pictures/{{night}}/"'
        )
    with placed(places, keys):
        template = Template.parse(text, fields.time_specs)
    for one in template.names:
        if one not in fields.at(stage.level) and not fields.is_open(stage.level):
            raise places.error(keys, unknown_name(one, sorted(fields.at(stage.level)), f"the place {text!r}"))
    if stage.level and not template.names and not text.endswith("/"):
        level = fields.levels[stage.level - 1]
        message = f"every {level} of {stage.name!r} would be {VERBS[kind][1]} as {text!r}"
        raise places.error(keys, f"{message}; add {{{level}}}, or a slash at its end")
    return template

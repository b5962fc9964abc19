"""From `[publish.NAME]` to publications: which products go where, and whose groups have a manifest."""

from __future__ import annotations

from collections.abc import Sequence

from penstock.campaign import MANIFESTS, Publication, Shown, Stage
from penstock.config.closing import check_level, pairs
from penstock.config.models import Definition
from penstock.config.places import Keys, Places, nearest
from penstock.config.publishtables import PublishTable, ShownTable
from penstock.config.sources import Fields, placed
from penstock.units import Template, unknown_name


def publications_of(
    definition: Definition, stages: Sequence[Stage], fields: Fields, places: Places
) -> dict[str, Publication]:
    """Return the publications by name; raises DefinitionError for what is not there."""
    known = {stage.name: stage for stage in stages}
    return {
        name: Publication(
            name,
            table.to,
            level_of(name, definition, fields, places),
            tuple(shown(name, one, known, fields, places) for one in table.files),
            site_of(name, table, definition, places),
        )
        for name, table in definition.publish.items()
    }


def site_of(name: str, table: PublishTable, definition: Definition, places: Places) -> str | None:
    """Return the site that has the folder."""
    if table.site not in (None, "local", *definition.site):
        message = f"there is no site {table.site!r}; {nearest(table.site, ['local', *definition.site])}"
        raise places.error(("publish", name, "site"), message)
    return table.site


def level_of(name: str, definition: Definition, fields: Fields, places: Places) -> int:
    """Return the level whose groups have manifests: the finest that is closed with it, if nothing else is said."""
    closed = [
        check_level(level, fields, places)
        for level, table in definition.close.items()
        if any((step, about) == ("publish", name) for step, about in pairs(table))
    ]
    each = definition.publish[name].each
    if each is None:
        return max(closed, default=1 if len(fields.levels) > 1 else 0)
    known = ["campaign", *fields.levels]
    if each not in known:
        message = f"there is no level {each!r}; {nearest(each, known)}"
        raise places.error(("publish", name, "each"), message)
    if known.index(each) < max(closed, default=0):
        finest = known[max(closed)]
        message = (
            f"{name!r} is published when a {finest} is closed: let `each` be {finest!r}, or a finer level"
        )
        raise places.error(("publish", name, "each"), message)
    return known.index(each)


def shown(name: str, table: ShownTable, stages: dict[str, Stage], fields: Fields, places: Places) -> Shown:
    """Return which products go where."""
    keys: Keys = ("publish", name, "files")
    if table.stage not in stages:
        message = f"{name!r} publishes products of a stage {table.stage!r}, which is not there"
        raise places.error(keys, f"{message}; {nearest(table.stage, [*stages])}")
    stage = stages[table.stage]
    if stage.closing and stage.closing.step in ("publish", "seal"):
        raise places.error(
            keys, f"{table.stage!r} runs when all else is published; name another step, or a stage"
        )
    known = [product.name for product in stage.products]
    if table.product is not None and table.product not in known:
        message = (
            f"the stage {table.stage!r} has no product {table.product!r}; {nearest(table.product, known)}"
        )
        raise places.error(keys, message)
    if table.product is None and not known:
        raise places.error(keys, f"the stage {table.stage!r} has no products; name one that has")
    return Shown(
        table.stage,
        table.product,
        None if table.to is None else destination(table, stage, keys, fields, places),
    )


def destination(table: ShownTable, stage: Stage, keys: Keys, fields: Fields, places: Places) -> Template:
    """Parse where products go; it stays in the folder, and names what the units of the stage have."""
    text = str(table.to).removeprefix("./")
    parts = text.removesuffix("/").split("/")
    if text.startswith(("/", "~")) or ".." in parts or parts[0] == MANIFESTS or (not all(parts) and text):
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
        message = f"every {level} of {stage.name!r} would be published as {text!r}; add {{{level}}}, or a slash at its end"
        raise places.error(keys, message)
    return template

"""From `[publish.NAME]` to publications: which products go where, and whose groups have a manifest."""

from __future__ import annotations

from collections.abc import Sequence

from penstock.campaign import Stage
from penstock.config.closing import check_level, pairs
from penstock.config.models import Definition
from penstock.config.places import Places, nearest
from penstock.config.publishtables import PublishTable, ShownTable
from penstock.config.shown import shown
from penstock.config.sources import Fields
from penstock.outputs import Publication, Shown


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
            tuple(told(name, one, known, fields, places) for one in table.files),
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


def told(name: str, table: ShownTable, stages: dict[str, Stage], fields: Fields, places: Places) -> Shown:
    """Return which products go where; of a closing, those of steps that are over by then."""
    stage = stages.get(table.stage)
    if stage and stage.closing and stage.closing.step in ("publish", "seal"):
        message = f"{table.stage!r} runs when all else is published; name another step, or a stage"
        raise places.error(("publish", name, "files"), message)
    return shown("publish", name, table, stages, fields, places)

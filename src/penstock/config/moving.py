"""From `[move.NAME]` to destinations: which products go to which final folder when their group is closed."""

from __future__ import annotations

from collections.abc import Sequence

from penstock.campaign import Stage
from penstock.config.closing import level_of, pairs
from penstock.config.models import Definition
from penstock.config.places import Places
from penstock.config.publishtables import ShownTable
from penstock.config.shown import shown
from penstock.config.sources import Fields
from penstock.outputs import Destination, Shown

STEP = "move"


def destinations_of(
    definition: Definition, stages: Sequence[Stage], fields: Fields, places: Places
) -> dict[str, Destination]:
    """Return the destinations by name; raises DefinitionError for what cannot be moved, or by no closing."""
    known = {stage.name: stage for stage in stages}
    steps = {stage.closing.about: stage for stage in stages if stage.closing and stage.closing.step == STEP}
    found: dict[str, Destination] = {}
    for name, table in definition.move.items():
        if name not in steps:
            message = f'no closing moves anything to [move.{name}]; add the step {{ move = "{name}" }} to a [close.LEVEL]'
            raise places.error((STEP, name), message)
        files = tuple(shown(STEP, name, one, known, fields, places) for one in table.files)
        for one, written in zip(files, table.files, strict=True):
            check_stage(name, one, known[one.stage], steps[name], places)
            check_place(name, table.to, written, places)
            check_seal(name, one, known, definition, fields, places)
        found[name] = Destination(name, table.to, files)
    return found


def check_stage(name: str, one: Shown, stage: Stage, step: Stage, places: Places) -> None:
    """Refuse products that no task of the group has made when the step runs."""
    if stage.closing:
        message = f"{one.stage!r} is a step of a closing, whose files stay where they are; name a stage"
        raise places.error((STEP, name, "files"), message)
    if stage.level < step.level:
        message = f"{one.stage!r} is of a level above the groups that are closed with {name!r}; leave it out"
        raise places.error((STEP, name, "files"), message)
    if one.stage not in {after.stage for after in step.after}:
        message = f"{one.stage!r} runs after the step that moves {name!r}; put the step after that merge"
        raise places.error((STEP, name, "files"), message)


def check_place(name: str, to: str, table: ShownTable, places: Places) -> None:
    """Refuse a place where the products are already."""
    if table.to is None and to.strip("/") in ("", "."):
        message = f"the products of {table.stage!r} are at that place already; say where they go with `to`"
        raise places.error((STEP, name, "files"), message)


def check_seal(
    name: str, one: Shown, stages: dict[str, Stage], definition: Definition, fields: Fields, places: Places
) -> None:
    """Refuse products that a seal of a smaller group has, by their paths."""
    closed = {level: level_of(level, fields) for level in definition.close}
    sealed = max((n, level) for level, n in closed.items() if n <= stages[one.stage].level)[1]
    moved = next(level for level, table in definition.close.items() if (STEP, name) in [*pairs(table)])
    if moved != sealed:
        message = (
            f"the products of {one.stage!r} are sealed with each {sealed}; move them in [close.{sealed}]"
        )
        raise places.error((STEP, name, "files"), message)

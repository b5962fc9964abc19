"""What says which of a stage's tasks go first, and which together: `order`, `fair`, `array`, `priority`, checked."""

from __future__ import annotations

from typing import TypedDict

from penstock.campaign import Order
from penstock.config.models import Definition, StageTable
from penstock.config.places import Places, nearest
from penstock.config.sources import placed
from penstock.units import Expression


class Ordering(TypedDict):
    """The keys of a stage that say which of its tasks go first, which together, and how many are out at once."""

    order: Order
    fair: int
    array: int
    priority: int
    max_running: int | None


def ordering(name: str, level: int, definition: Definition, places: Places) -> Ordering:
    """Return them for a stage. Raises DefinitionError."""
    table = definition.stage[name]
    return {
        "order": order_of(name, table, places),
        "fair": fair_level(name, level, definition, places),
        "array": array_level(name, level, table, ["campaign", *definition.campaign.levels], places),
        "priority": table.priority,
        "max_running": table.max_running,
    }


def order_of(name: str, table: StageTable, places: Places) -> Order:
    """Return in which order the tasks of a stage go."""
    if table.order == "oldest" or table.order == "newest":
        return table.order
    with placed(places, ("stage", name, "order")):
        return Expression.parse(table.order)


def fair_level(name: str, level: int, definition: Definition, places: Places) -> int:
    """Return the level whose groups take turns in a stage, as it or the campaign says; 0 for none.

    Where a site takes only so many tasks at once, the coarsest groups do unless something else is said.
    """
    table, campaign = definition.stage[name], definition.campaign
    levels = ["campaign", *campaign.levels]
    if table.fair is not None:
        return _level(table.fair, levels[: max(level, 1)], f"of {name!r}", ("stage", name, "fair"), places)
    if campaign.fair is not None:
        wanted = _level(campaign.fair, levels, "of the campaign", ("campaign", "fair"), places)
        return wanted if wanted < level else 0
    site = definition.site.get(table.site or campaign.site)
    return 1 if level > 1 and site and site.max_queued_tasks is not None else 0


def array_level(name: str, level: int, table: StageTable, levels: list[str], places: Places) -> int:
    """Return the level whose groups get arrays of their own in a stage; 0 for the campaign."""
    if table.array is None:
        return 0
    return _level(table.array, levels[: max(level, 1)], f"of {name!r}", ("stage", name, "array"), places)


def _level(named: str, known: list[str], whose: str, keys: tuple[str, ...], places: Places) -> int:
    if named not in known:
        message = f"`{keys[-1]}` {whose} names {named!r}, no level above it; {nearest(named, known)}"
        raise places.error(keys, message)
    return known.index(named)


def check_follower(name: str, table: StageTable, places: Places) -> None:
    """Refuse an order of its own for a stage whose tasks run right after those of another."""
    for key in ("order", "fair", "array", "priority"):
        if key in table.model_fields_set:
            message = f"{name!r} runs right after each {table.follows!r}, in its order; remove `{key}`"
            raise places.error(("stage", name, key), message)

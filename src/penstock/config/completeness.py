"""Checks of `[units] complete`: when the groups of a level are complete (RULE 1)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from penstock.campaign import FileSource, Source
from penstock.complete import Condition
from penstock.config.models import Definition
from penstock.config.places import Places, nearest
from penstock.config.sources import Fields, placed


def check_complete(definition: Definition, fields: Fields, sources: Sequence[Source], places: Places) -> None:
    """Refuse an invalid condition, or one that names what its groups do not have."""
    for level, text in definition.units.complete.items():
        keys = ("units", "complete", level)
        with placed(places, keys):
            condition = Condition.parse(text)
        if condition.not_before is not None:
            _check_day(text, level, fields, places)
        _check_names(condition.names, level, fields, places)
        if condition.of:
            _check_of(condition.of, level, fields, sources, places)


def _check_day(text: str, level: str, fields: Fields, places: Places) -> None:
    if level == "campaign" or fields.types.get(level, "str") not in ("datetime", "str"):
        message = f"{text!r} needs a date, and {level!r} is not one; use another condition"
        raise places.error(("units", "complete", level), message)


def _check_names(names: Iterable[str], level: str, fields: Fields, places: Places) -> None:
    number = 0 if level == "campaign" else fields.levels.index(level) + 1
    known = fields.at(number)
    for name in names:
        if name not in known and not fields.is_open(number):
            message = f"the condition of {level!r} names {name!r}, which is not a level or field there"
            raise places.error(("units", "complete", level), f"{message}; {nearest(name, sorted(known))}")


def _check_of(name: str, level: str, fields: Fields, sources: Sequence[Source], places: Places) -> None:
    number = 0 if level == "campaign" else fields.levels.index(level) + 1
    mine = [one for one in sources if isinstance(one, FileSource) and one.level == number]
    known = sorted({field for source in mine for field in source.many})
    if name not in known:
        message = f"the condition of {level!r} counts {name!r}, which is no `many` field of its files"
        raise places.error(("units", "complete", level), f"{message}; {nearest(name, known)}")

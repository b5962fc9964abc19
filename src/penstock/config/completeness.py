"""Checks of `[units] complete`: when the groups of a level are whole (RULE 1)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from penstock.config.models import Definition
from penstock.config.places import Places, nearest
from penstock.config.sources import Fields, placed
from penstock.units import Template

CONDITION = re.compile(
    r"not_before (?P<clock>([01][0-9]|2[0-3]):[0-5][0-9])( next day)?"
    r"|quiet (?P<quiet>[0-9]+(\.[0-9]+)?\s*(s|min|h|d))"
    r"|file (?P<file>.+)"
    r"|count (?P<count>[A-Za-z_]\w*)"
)
FORMS = '"not_before 08:00 next day", "quiet 30min", "file {night}.done" or "count n_subruns"'


def check_complete(definition: Definition, fields: Fields, places: Places) -> None:
    """Refuse a condition that is none, or that names what its groups do not have."""
    for level, condition in definition.units.complete.items():
        keys = ("units", "complete", level)
        found = CONDITION.fullmatch(condition)
        if not found:
            raise places.error(keys, f"{condition!r} is not a condition; write {FORMS}")
        if found["clock"] and fields.types.get(level, "str") not in ("datetime", "str"):
            raise places.error(
                keys, f"{condition!r} needs a day, and {level!r} is none; use another condition"
            )
        if found["clock"] and level == "campaign":
            raise places.error(
                keys, f"{condition!r} needs a day, and the campaign has none; use another condition"
            )
        with placed(places, keys):
            names = Template.parse(found["file"]).names if found["file"] else ()
        _check_names([*names, *([found["count"]] if found["count"] else [])], level, fields, places)


def _check_names(names: Iterable[str], level: str, fields: Fields, places: Places) -> None:
    number = 0 if level == "campaign" else fields.levels.index(level) + 1
    known = fields.at(number)
    for name in names:
        if name not in known and not fields.is_open(number):
            message = f"the condition of {level!r} names {name!r}, which is no level or field there"
            raise places.error(("units", "complete", level), f"{message}; {nearest(name, sorted(known))}")

"""Planning from the tables that are on the disk: one night, or all of a campaign, of which one may fail by itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import NamedTuple

from penstock.errors import DefinitionError
from penstock.workflows.telescope.nights import (
    DAY,
    Night,
    compact,
    dated_files,
    list_nights,
    read_night,
    table_path,
)
from penstock.workflows.telescope.sequences import Plan, plan_night
from penstock.workflows.telescope.settings import Settings

DATED = ("time_sampling", "systematic_correction")  # files of which the nearest earlier one counts


class Planned(NamedTuple):
    """A night with its plan, or with the reason why it has none."""

    night: date
    plan: Plan | None
    why: str = ""


def plan_from_disk(settings: Settings, root: Path, day: date, *, make: bool = True) -> Plan:
    """Plan a night from its tables; `make` lets the commands of [tables] make those that are missing.

    Raises DefinitionError where that cannot be done.
    """
    if wait := waiting(settings, root, day):
        raise DefinitionError(wait)
    night = read_night(settings, root, day, make=make)
    dated = {
        kind: dict(sorted(dated_files(settings.files[kind].text, root)))
        for kind in DATED
        if kind in settings.files
    }
    return plan_night(night, _earlier(settings, root, day), settings, dated)


def waiting(settings: Settings, root: Path, day: date) -> str:
    """Say what a night waits for before it can be planned; nothing if it need not wait."""
    if flag := settings.files.get("gain_selection"):
        path = root / flag.render({"date": compact(day)})
        if not path.exists():
            return f"the night {day} waits for its gain selection: there is no {path}"
    return ""


def _earlier(settings: Settings, root: Path, day: date) -> Iterator[Night]:
    for back in range(1, settings.walk_back + 1):
        before = day - back * DAY
        if table_path(settings, root, "summary", before).exists():
            yield read_night(settings, root, before, make=False)


def plan_all(settings: Settings, root: Path, now: datetime, *, make: bool = True) -> Iterator[Planned]:
    """Plan all nights of a campaign, each by itself."""
    for day in list_nights(settings, root, now):
        try:
            yield Planned(day, plan_from_disk(settings, root, day, make=make))
        except DefinitionError as error:
            yield Planned(day, None, str(error))

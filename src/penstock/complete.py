"""When a group is complete, by its level's `complete` condition. Pure, but for a check of one file."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any, NamedTuple

from penstock.errors import DefinitionError
from penstock.units import Template, read_value

UNITS_S = {"s": 1, "min": 60, "h": 3600, "d": 86400}
DAY_S = 86_400.0
FORMS = '"not_before 08:00 next day", "quiet 30min", "file {night}.done", "count n_subruns" or "count 6 of stream"'
CLOCK = r"(?P<hour>[01][0-9]|2[0-3]):(?P<minute>[0-5][0-9])(?P<next> next day)?"
GRAMMAR = re.compile(
    rf"not_before {CLOCK}"
    r"|quiet (?P<quiet>[0-9]+(?:\.[0-9]+)?)\s*(?P<unit>s|min|h|d)"
    r"|file (?P<file>.+)"
    r"|count (?P<count>[A-Za-z_]\w*|[0-9]{1,9})(?: of (?P<of>[A-Za-z_]\w*))?"
)


class Group(NamedTuple):
    """What a condition is checked against."""

    values: Mapping[str, Any]
    day: str  # the value of its own level, a date where a condition wants one
    newest: float | None  # when a member last came or changed, UTC seconds
    members: (
        int  # the units under it; of a unit of many files, these, or the values that a field has among them
    )


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition as it was written, and what it means: one of the four is set."""

    text: str
    count: str | int | None = None  # how many members there will be, or the field that tells it
    of: str | None = None  # the field of files whose values are counted, in place of the files
    file: Template | None = None
    quiet_s: float | None = None
    not_before: timedelta | None = None  # since the beginning of the group's day

    @classmethod
    def parse(cls, text: str) -> Condition:
        """Read a condition; raises DefinitionError if it is none."""
        found = GRAMMAR.fullmatch(text)
        if not found:
            raise DefinitionError(f"{text!r} is not a condition; write {FORMS}")
        part = found.groupdict()
        return cls(
            text,
            count=int(part["count"]) if part["count"] and part["count"].isdigit() else part["count"],
            of=part["of"],
            file=Template.parse(part["file"]) if part["file"] else None,
            quiet_s=float(part["quiet"]) * UNITS_S[part["unit"]] if part["quiet"] else None,
            not_before=since_midnight(found) if part["hour"] else None,
        )

    @property
    def names(self) -> tuple[str, ...]:
        """The fields that it needs."""
        if self.file:
            return self.file.names
        return (self.count,) if isinstance(self.count, str) else ()

    @property
    def of_members(self) -> bool:
        """Whether it depends on the members."""
        return self.count is not None or self.quiet_s is not None

    def why_open(self, group: Group, *, now: float, root: Path) -> str | None:
        """Return why a group is not complete yet; None when it is. What cannot be decided leaves it open, with the reason.

        >>> Condition.parse("count n").why_open(Group({"n": 3}, "", None, 2), now=0.0, root=Path())
        '2 of 3 members have arrived'
        """
        unknown = [name for name in self.names if group.values.get(name) is None]
        if unknown:
            return f"its {unknown[0]!r} is not known yet"
        try:
            return self.why_not(group, now=now, root=root)
        except DefinitionError as error:
            return error.message

    def why_not(self, group: Group, *, now: float, root: Path) -> str | None:
        """Return why a group is not complete yet, given all that it needs; raises DefinitionError for unusable values."""
        if self.count is not None:
            wanted = self.wanted(group)
            what = f"values of {self.of}" if self.of else "members"
            return f"{group.members} of {wanted} {what} have arrived" if group.members < wanted else None
        if self.file:
            path = root / self.file.render(group.values, in_path=True)
            return None if os.path.exists(path) else f"{path.name} does not exist yet"
        if self.quiet_s is not None:
            over = (group.newest or now) + self.quiet_s
            return (
                f"its last member arrived less than {self.text.removeprefix('quiet ')} ago"
                if now < over
                else None
            )
        start = moment_on(group.day, self.not_before or timedelta())
        return f"it is not {start:%Y-%m-%d %H:%M} UTC yet" if now < start.timestamp() else None

    def wanted(self, group: Group) -> int:
        """Return how many members there will be; raises DefinitionError if its field is not such a number."""
        if isinstance(self.count, int):
            return self.count
        given = group.values[str(self.count)]
        with suppress(ValueError):
            number = read_value(given, "int") if isinstance(given, str) else given
            if (
                isinstance(number, (int, float))
                and not isinstance(number, bool)
                and number >= 0
                and number % 1 == 0
            ):
                return int(number)
        raise DefinitionError(f"its {self.count!r} is {given!r}, which is not a number of members")


def since_midnight(found: re.Match[str]) -> timedelta:
    """Return how long after the beginning of a day a clock time is."""
    return timedelta(days=bool(found["next"]), hours=int(found["hour"]), minutes=int(found["minute"]))


def parse_deadline(text: str) -> timedelta:
    """Read by when a group must be done, since the beginning of its day; raises DefinitionError.

    >>> parse_deadline("18:00 next day")
    datetime.timedelta(days=1, seconds=64800)
    """
    found = re.fullmatch(CLOCK, text)
    if not found:
        raise DefinitionError(f'{text!r} is not a deadline; write "18:00" or "18:00 next day" (UTC)')
    return since_midnight(found)


def last_hour(clock: str, now: float) -> float:
    """Return when it was last so late on a day, UTC.

    >>> last_hour("07:00", 86_400.0)
    25200.0
    """
    hour, minute = map(int, clock.split(":"))
    today = now - now % DAY_S + 3600 * hour + 60 * minute
    return today if today <= now else today - DAY_S


def moment_on(day: str, after: timedelta, zone: tzinfo = UTC) -> datetime:
    """Return so long after the beginning of a group's day, by the clocks of a zone; raises DefinitionError if it is no date."""
    try:
        return (datetime.fromisoformat(day[:10]) + after).replace(tzinfo=zone)
    except (ValueError, OverflowError):
        raise DefinitionError(
            f"{day!r} is not a date such as 2020-01-17: `not_before` and `deadline` need a level of days"
        ) from None

"""When recordings begin, if their names alone do not tell: a table, a time zone, or one after the other."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from penstock.errors import DefinitionError
from penstock.workflows.acoustics.headers import Unreadable, read_header
from penstock.workflows.acoustics.names import Pattern, read_any_time, with_fraction


class Naming(Protocol):
    """What knows the begin of a recording by its path."""

    @property
    def text(self) -> str: ...
    def begin(self, path: str) -> datetime | None: ...
    def fields(self, path: str) -> Mapping[str, str]: ...


@dataclass(frozen=True, slots=True)
class Table:
    """Begins by the path or the name of the file; `text` is what an unknown file does not fit."""

    text: str
    begins: Mapping[str, datetime]

    def begin(self, path: str) -> datetime | None:
        return self.begins.get(path) or self.begins.get(os.path.basename(path))

    def fields(self, path: str) -> Mapping[str, str]:
        return {}


@dataclass(frozen=True, slots=True)
class Anywhere:
    """A pattern of names without their extensions, wherever the files lie: in the folders of memory cards."""

    pattern: Pattern

    @property
    def text(self) -> str:
        return self.pattern.text

    @property
    def zoned(self) -> bool:
        return self.pattern.zoned

    def begin(self, path: str) -> datetime | None:
        return self.pattern.begin(stem_of(path))

    def fields(self, path: str) -> Mapping[str, str]:
        return self.pattern.fields(stem_of(path))


def stem_of(path: str) -> str:
    return os.path.splitext(os.path.basename(path))[0]


@dataclass(frozen=True, slots=True)
class Localised:
    """Names whose time is that of a place, unless they tell their zone themselves.

    In the hour that comes twice a year, the first is meant.
    """

    pattern: Pattern | Anywhere
    zone: ZoneInfo

    @property
    def text(self) -> str:
        return self.pattern.text

    def begin(self, path: str) -> datetime | None:
        found = self.pattern.begin(path)
        if found is None or self.pattern.zoned:
            return found
        return localise(found.replace(tzinfo=None), self.zone, os.path.basename(path))

    def fields(self, path: str) -> Mapping[str, str]:
        return self.pattern.fields(path)


def localise(time: datetime, zone: ZoneInfo, what: str) -> datetime:
    """Give the moment of a local time; refuse one that the clocks of the place leave out."""
    moment = time.replace(tzinfo=zone).astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) != time:
        raise DefinitionError(
            f"the clocks of {zone.key} leave out {time:%Y-%m-%d %H:%M:%S}, the time of {what}: the recorder kept "
            "another time; give its zone, as --timezone UTC or --timezone Etc/GMT-1 (an hour ahead of UTC)"
        )
    return moment


def read_zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise DefinitionError(f"there is no time zone {name!r}; write it as Europe/Paris or UTC") from None


def read_timestamps(path: Path, zone: ZoneInfo | None = None) -> Table:
    """Read a table without header, `name,2017-10-07T00:16:22.000Z` a line; a header is left out.

    A time without a zone is that of `zone`, or UTC.
    """
    begins: dict[str, datetime] = {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        for number, row in enumerate(csv.reader(file), start=1):
            if not row or (number == 1 and len(row) > 1 and not any(map(str.isdigit, row[1]))):
                continue
            if len(row) < 2:
                raise DefinitionError(f"line {number} of {path} is not `name,time`")
            name = os.path.basename(row[0].strip())
            if name in begins:
                raise DefinitionError(f"{path} has two times for {name!r} (line {number}); remove one")
            begins[name] = _read(row[1].strip(), zone, name)
    return Table(path.name, begins)


def _read(text: str, zone: ZoneInfo | None, name: str) -> datetime:
    naive = datetime.fromisoformat(text) if _is_iso(text) else None
    if zone is None or naive is None or naive.tzinfo:
        return read_any_time(text)
    return localise(naive, zone, name)


def _is_iso(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def back_to_back(paths: Sequence[str], first: datetime) -> Table:
    """Lay files end to end from `first` on, in the order of their names.

    A file whose length is not known has no begin, and the next one takes its place.
    """
    begins, at = dict[str, datetime](), first
    for path in sorted(paths):
        try:
            header = read_header(path)
        except Unreadable:
            continue
        begins[os.path.basename(path)] = at
        at += timedelta(seconds=header.duration)
    return Table(f"files back to back from {first:%Y-%m-%dT%H:%M:%SZ}", begins)


def begin_by(naming: Naming, path: str) -> datetime | None:
    """Give the begin of a recording, with the fraction of a second that its name may hold."""
    begin = naming.begin(path)
    return None if begin is None else with_fraction(begin, naming.fields(path))

"""Times in file names: patterns that find and parse, and a guess from a folder of names."""

from __future__ import annotations

import glob
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise, takewhile

from penstock.errors import DefinitionError

DIRECTIVES = {
    "Y": r"\d{4}",
    "m": r"\d{2}",
    "d": r"\d{2}",
    "H": r"\d{2}",
    "M": r"\d{2}",
    "S": r"\d{2}",
    "y": r"\d{2}",
    "j": r"\d{3}",  # day of the year
    "b": r"[A-Za-z]{3}",
    "f": r"\d{1,6}",
    "z": r"[+-]\d{2}:?\d{2}",
    "I": r"\d{2}",  # of twelve hours, with %p
    "p": r"[AaPp][Mm]",
}
FIELD = re.compile(r"\{(\w+)(?::([^{}]*))?\}|\{\{|\}\}")
USUAL = 0.9  # share of the names of a folder that are alike; others are told and left out
BY_HAND = "give a pattern with fields, as 'data/{site}_{begin:%Y%m%d_%H%M%S}.wav'"
TIME = re.compile(
    r"(?<!\d)(?P<year>\d{4}|\d{2})(?P<d>[-_.]?)\d{2}(?P=d)\d{2}"
    r"(?P<between>[T_. -]?)\d{2}(?P<t>[-:_.]?)\d{2}(?P=t)\d{2}"
    r"(?P<fraction>\.\d{1,6})?(?P<zone>Z|(?P<offset>[+-]\d{2}:?\d{2}))?(?!\d)"
)
MILLISECONDS = r"[._]\d{1,6}"  # PAMGuard writes _123, others .123
UNIVERSAL = re.compile(
    rf"\{{begin:[^{{}}]*\}}(?:[._]\{{fraction\}}|{MILLISECONDS})?[ _-]?(?:Z|UTC|GMT)(?![A-Za-z0-9])"
)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A path with fields, as `audio/{site}_{begin:%Y%m%d_%H%M%S}.wav`."""

    text: str
    regex: re.Pattern[str]
    glob: str
    begin_format: str | None

    @property
    def zoned(self) -> bool:
        """Say whether names tell their zone themselves: an offset, or a Z or UTC behind the time."""
        return "%z" in (self.begin_format or "") or UNIVERSAL.search(self.text) is not None

    def plain(self, paths: Sequence[str]) -> bool:
        """Say whether a definition can hold the pattern: the engine reads fewer ways to write a time."""
        form = self.begin_format or ""
        if any(letter in form for letter in ("%f", "%I", "%p")):
            return False
        return "%z" not in form or all(
            re.search(r"[+-]\d{4}", self.fields(path).get("begin", "+0000")) for path in paths
        )

    def find(self) -> list[str]:
        """List the files that may fit, sorted."""
        return sorted(path for path in glob.iglob(self.glob) if os.path.isfile(path))

    def begin(self, path: str) -> datetime | None:
        """Read the begin of a recording from its path; None if the name does not fit."""
        match = self.regex.fullmatch(path)
        if match is None or self.begin_format is None:
            return None
        try:
            return read_time(match["begin"], self.begin_format)
        except ValueError:
            return None

    def fields(self, path: str) -> dict[str, str]:
        """Give the fields of a path as text; none if the name does not fit."""
        match = self.regex.fullmatch(path)
        return match.groupdict() if match else {}


def read_time(text: str, form: str) -> datetime:
    """Read a time; without a zone it is UTC."""
    if "%z" in form:
        return datetime.strptime(text, form).astimezone(UTC)
    return datetime.strptime(text, form).replace(tzinfo=UTC)


def read_any_time(text: str) -> datetime:
    """Read an ISO 8601 time; without a zone it is UTC.

    >>> read_any_time("2017-10-07T00:16:22.000Z").hour
    0
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise DefinitionError(f"{text!r} is not a time; write it as 2017-10-07T00:16:22Z") from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)


def with_fraction(begin: datetime, fields: Mapping[str, object]) -> datetime:
    """Add the digits after the second that a `{fraction}` field holds."""
    digits = fields.get("fraction")
    return begin if digits is None else begin + timedelta(seconds=float(f"0.{digits}"))


def parse_pattern(text: str) -> Pattern:
    """Turn a path with fields into something that finds and parses.

    >>> parse_pattern("a_{begin:%y%m%d}.wav").begin("a_200117.wav")
    datetime.datetime(2020, 1, 17, 0, 0, tzinfo=datetime.timezone.utc)
    """
    regex, found, place, seen = "", "", 0, set[str]()
    form = None
    for match in FIELD.finditer(text):
        literal = text[place : match.start()] + (match.group()[0] if match.group(1) is None else "")
        regex, found, place = regex + re.escape(literal), found + glob.escape(literal), match.end()
        name, spec = match.group(1), match.group(2) or ""
        if name is None:
            continue
        regex += f"(?P={name})" if name in seen else f"(?P<{name}>{_field_regex(spec)})"
        found, form = found + "*", spec if name == "begin" and name not in seen else form
        seen.add(name)
    regex, found = regex + re.escape(text[place:]), found + glob.escape(text[place:])
    return Pattern(text, re.compile(regex), found, form or None)


def _field_regex(spec: str) -> str:
    if "%" in spec:
        return time_regex(spec)
    return r"\d+" if spec.endswith("d") else r"[^/]+?"


def time_regex(form: str) -> str:
    """Write the regular expression of a strptime format."""
    parts = re.split(r"%(.)", form)
    for letter in parts[1::2]:
        if letter not in DIRECTIVES:
            known = " ".join(f"%{each}" for each in DIRECTIVES)
            raise DefinitionError(f"the time format {form!r} uses %{letter}; write it with {known}")
    return "".join(DIRECTIVES[part] if i % 2 else re.escape(part) for i, part in enumerate(parts))


def guess_pattern(paths: Sequence[str], begin: str | None = None) -> str:
    """Write the pattern that names `paths`, with the time as `{begin:…}`.

    `begin` is a strptime format for names whose time is not of a common form. What differs
    before and after the time becomes the fields `prefix` and `suffix`.
    """
    folders = {os.path.dirname(path) for path in paths}
    if len(folders) > 1:
        raise DefinitionError(f"the recordings are in {len(folders)} folders ({min(folders)}, …): {BY_HAND}")
    names = [os.path.basename(path) for path in paths]
    form, spans = _common_time(names, begin)
    before = _before([name[:start] for name, (start, _) in spans.items()])
    after = _after([name[stop:] for name, (_, stop) in spans.items()])
    text = os.path.join(_escaped(folders.pop()), f"{before}{{begin:{form}}}{after}")
    pattern = parse_pattern(text)
    odd = [name for path, name in zip(paths, names, strict=True) if pattern.begin(path) is None]
    if len(odd) > (1 - USUAL) * len(paths):
        raise DefinitionError(f"{odd[0]!r} is not named like the others ({text}): {BY_HAND}")
    return text


def _common_time(names: Sequence[str], begin: str | None) -> tuple[str, dict[str, Span]]:
    """Find the one way to read a time that all names share, or nearly all; give the place of the time in each."""
    ways = [_ways(name, begin) for name in names]
    counts = Counter(way for each in ways for way in each)
    most = max(counts.values(), default=0)
    remedy = "give --begin FORMAT (strptime) or a pattern with {begin:FORMAT}"
    if most < USUAL * len(names):
        odd = next((name for name, way in zip(names, ways, strict=True) if not way), None)
        why = (
            f"there is no time in {odd!r}"
            if odd
            else f"{names[0]!r} and other names write their times differently"
        )
        raise DefinitionError(f"{why}: {remedy}, or choose fewer files with --audio")
    shared = {way for way, count in counts.items() if count == most}
    if len(shared) > 1:
        first = next(way for way in ways if shared <= set(way))
        several = " or ".join(
            f"{form} at character {spans[0] + 1}" for (form, _), spans in _sorted(first, shared)
        )
        raise DefinitionError(f"the time in {names[ways.index(first)]!r} can be read as {several}: {remedy}")
    way = shared.pop()
    return way[0], {name: each[way] for name, each in zip(names, ways, strict=True) if way in each}


Way = tuple[str, int]  # a format, and how many of that format stand before it in the name
Span = tuple[int, int]


def _sorted(ways: Mapping[Way, Span], shared: set[Way]) -> list[tuple[Way, Span]]:
    return sorted(((way, ways[way]) for way in shared), key=lambda pair: pair[1])


def _ways(name: str, begin: str | None) -> dict[Way, Span]:
    found: dict[Way, Span] = {}
    for form, start, stop in _times(name) if begin is None else _given_times(name, begin):
        if _is_time(name[start:stop], form):
            rank = sum(known == form for known, _ in found)
            found[form, rank] = (start, stop)
    return found


def _given_times(name: str, begin: str) -> Iterator[tuple[str, int, int]]:
    for match in re.finditer(rf"(?<!\d){time_regex(begin)}(?!\d)", name):
        yield begin, *match.span()


def _times(name: str) -> Iterator[tuple[str, int, int]]:
    for match in TIME.finditer(name):
        if match["fraction"] and match["offset"]:
            yield _format_of(match), *match.span()
            continue
        stops = [
            match.start(part)
            for part in ("fraction", "zone")
            if match[part] and match[part] != match["offset"]
        ]
        yield _format_of(match), match.start(), min(stops, default=match.end())
        if re.fullmatch(r"\d{12}", match.group()) and "1950" <= match.group()[:4] <= "2099":
            yield "%Y%m%d%H%M", *match.span()


def _format_of(match: re.Match[str]) -> str:
    year = "%Y" if len(match["year"]) == 4 else "%y"
    date, time = match["d"].join((year, "%m", "%d")), match["t"].join(("%H", "%M", "%S"))
    fraction = ".%f" if match["fraction"] and match["offset"] else ""
    return f"{date}{match['between']}{time}{fraction}{'%z' if match['offset'] else ''}"


def _is_time(text: str, form: str) -> bool:
    try:
        read_time(text, form)
    except ValueError:
        return False
    return True


def _before(parts: Sequence[str]) -> str:
    if len(set(parts)) == 1:
        return _escaped(parts[0])
    tail = _shared_start([part[::-1] for part in parts])[::-1]
    _refuse_adjacent(tail, parts)
    return "{prefix}" + _escaped(tail)


def _after(parts: Sequence[str]) -> str:
    fraction = _fraction(parts)
    if fraction is not None:
        return fraction
    if len(set(parts)) == 1:
        return _escaped(parts[0])
    head, extension = re.sub(r"\d+$", "", _shared_start(parts)), os.path.splitext(parts[0])[1]
    _refuse_adjacent(head, parts)
    return f"{_escaped(head)}{{suffix}}{_escaped(extension)}"


def _fraction(parts: Sequence[str]) -> str | None:
    """Write what follows a time if it begins with the digits of a fraction of a second; None if it does not."""
    found = [re.match(r"\.\d{1,6}(?=\D)|(?P<line>_)\d{3}(?=\D)", part) for part in parts]
    matches = [match for match in found if match]
    rests = {part[match.end() :] for part, match in zip(parts, matches, strict=False)}
    digits = [match.group()[1:] for match in matches]
    if len(matches) < len(parts) or len(rests) > 1 or not any(map(int, digits)) or _counts(matches):
        return None
    return f"{matches[0].group()[0]}{{fraction}}{_escaped(rests.pop())}"


def _counts(matches: Sequence[re.Match[str]]) -> bool:
    """Say whether _001, _002, … number the files: three digits behind a line may be either."""
    numbers = [int(match.group()[1:]) for match in matches]
    return bool(matches[0]["line"]) and len(numbers) > 1 and all(b - a == 1 for a, b in pairwise(numbers))


def _shared_start(texts: Sequence[str]) -> str:
    least, most = min(texts), max(texts)
    same = takewhile(lambda pair: pair[0] == pair[1], zip(least, most, strict=False))
    return "".join(letter for letter, _ in same)


def _refuse_adjacent(between: str, parts: Sequence[str]) -> None:
    if not between:
        raise DefinitionError(
            f"names differ directly beside their time ({parts[0]!r}, {parts[-1]!r}): {BY_HAND}"
        )


def _escaped(literal: str) -> str:
    return literal.replace("{", "{{").replace("}", "}}")

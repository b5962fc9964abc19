"""Path patterns: one text that finds, parses and names files (`{night:%Y-%m-%d}/run_{run:05d}.h5`)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter
from typing import Any, NamedTuple

from penstock.errors import DefinitionError
from penstock.units.formats import Format, format_of, iso_reader, time_components, time_from, time_parts
from penstock.units.matcher import Matched, Part, matcher
from penstock.units.template import Placeholder, Template
from penstock.units.values import Value, from_iso, iso

Texts = tuple[str, ...]
Reader = Callable[[Texts], Value]


class BadlyNamed(NamedTuple):
    """A path that matches the pattern, but would be written differently."""

    path: str
    why: str


class _Misnamed(ValueError):
    """A reader's complaint about a text that does not format back to itself."""


class Segment(NamedTuple):
    """One folder or file name of a pattern. `readers` give the fields that are complete with it; times as ISO text."""

    literal: str | None
    match: Callable[[str], Matched | None]
    readers: tuple[tuple[str, Reader], ...]

    def read(self, texts: Texts, values: Mapping[str, Value]) -> dict[str, Value] | str:
        """Return `values` with this segment's fields; a text says why the name is bad."""
        found = dict(values)
        try:
            for name, reader in self.readers:
                found[name] = reader(texts)
        except ValueError as error:
            return str(error)
        return found


@dataclass(frozen=True, slots=True)
class Pattern:
    """A parsed path pattern. A field matches within one part of the path, as short as it can."""

    text: str
    template: Template
    names: tuple[str, ...]
    types: Mapping[str, str]
    formats: Mapping[str, str]
    absolute: bool
    segments: tuple[Segment, ...] = field(repr=False, compare=False)

    @classmethod
    def parse(cls, text: str, specs: Mapping[str, str] | None = None) -> Pattern:
        """Parse `text`; `specs` are formats for fields that have none, by name.

        >>> Pattern.parse("audio/{site}_{begin:%Y%m%d}.wav").match("audio/B2_20260117.wav")
        {'site': 'B2', 'begin': datetime.datetime(2026, 1, 17, 0, 0, tzinfo=datetime.timezone.utc)}
        """
        text = text.removeprefix("./")
        template = Template.parse(text, specs)
        _refuse_adjacent(template)
        pieces = _cut_at_slashes(template)
        formats = _formats_by_field(template)
        types = {name: found[0].type for name, found in formats.items()}
        specs_shown = {name: spec for name, found in formats.items() if (spec := _shown(found))}
        segments = tuple(_segments(pieces, formats))
        return cls(
            template.text, template, template.names, types, specs_shown, text.startswith("/"), segments
        )

    def match(self, path: str) -> dict[str, Value] | BadlyNamed | None:
        """Read the fields of `path`; None when it has another shape."""
        parts = path.lstrip("/").split("/")
        if len(parts) != len(self.segments) or path.startswith("/") != self.absolute:
            return None
        texts: Texts = ()
        values: dict[str, Value] = {}
        for segment, part in zip(self.segments, parts, strict=True):
            found = segment.match(part)
            if found is None:
                return None
            texts += found.groups()
            read = segment.read(texts, values)
            if isinstance(read, str):
                return BadlyNamed(path, read)
            values = read
        return {name: self._typed(name, value) for name, value in values.items()}

    def _typed(self, name: str, value: Value) -> Value:
        return from_iso(str(value)) if self.types[name] == "datetime" else value

    def format(self, values: Mapping[str, Any]) -> str:
        """Write the path for `values`; each stays within its part of the path."""
        return self.template.render(values, in_path=True)


def _refuse_adjacent(template: Template) -> None:
    for one, two in zip(template.parts, template.parts[1:], strict=False):
        if isinstance(one, Placeholder) and isinstance(two, Placeholder):
            raise DefinitionError(
                f"the pattern {template.text!r} has {{{one.name}}} and {{{two.name}}} with nothing between them; "
                "put a character there"
            )


def _formats_by_field(template: Template) -> dict[str, list[Format]]:
    formats: dict[str, list[Format]] = {}
    for part in template.parts:
        if isinstance(part, Placeholder):
            if "/" in part.spec:
                raise DefinitionError(
                    f"the format {part.spec!r} in the pattern {template.text!r} has a slash; "
                    f"write {{{part.name}:…}}/{{{part.name}:…}}"
                )
            formats.setdefault(part.name, []).append(format_of(part.spec))
    for name, found in formats.items():
        _refuse_mixed(name, found, template.text)
    return formats


def _refuse_mixed(name: str, formats: list[Format], text: str) -> None:
    kinds = {found.type for found in formats}
    if len(kinds) > 1:
        raise DefinitionError(
            f"the pattern {text!r} reads {name!r} as {' and as '.join(sorted(kinds))}; choose one"
        )
    if kinds == {"datetime"}:
        letters = {letter for found in formats for kind, letter in time_parts(found.spec) if kind == "%"}
        if not letters & {"Y", "y"}:
            raise DefinitionError(
                f"the time {name!r} in the pattern {text!r} has no year; add %Y, or leave the % out"
            )


def _shown(formats: list[Format]) -> str:
    """Choose the spec a field is printed with; a time spread over the path shows all its parts."""
    if formats[0].type != "datetime":
        return formats[-1].spec
    whole = [
        found.spec for found in formats if any(letter in ("Y", "y") for _, letter in time_parts(found.spec))
    ]
    longest = max(whole, key=len)
    return longest if len(longest) > 2 or len(formats) == 1 else "-".join(found.spec for found in formats)


def _cut_at_slashes(template: Template) -> list[list[str | Placeholder]]:
    segments: list[list[str | Placeholder]] = [[]]
    for part in template.parts:
        if isinstance(part, Placeholder):
            segments[-1].append(part)
            continue
        first, *others = part.split("/")
        segments[-1].append(first)
        segments.extend([other] for other in others)
    pieces = [
        [part for part in segment if part != ""] for segment in segments[template.text.startswith("/") :]
    ]
    if not all(pieces):
        raise DefinitionError(
            f"the pattern {template.text!r} has an empty part; it must name files, with single slashes"
        )
    return pieces


def _segments(
    pieces: list[list[str | Placeholder]], formats: Mapping[str, list[Format]]
) -> Iterator[Segment]:
    places: dict[str, list[int]] = {}
    count = 0
    for parts in pieces:
        regex, groups, read = _segment_regex(parts)
        for name in groups:
            places.setdefault(name, []).append(count)
            count += 1
        complete = [name for name in dict.fromkeys(groups) if _is_last(name, parts, pieces)]
        readers = tuple((name, _reader(places[name], _distinct(name, pieces, formats))) for name in complete)
        literal = "".join(str(part) for part in parts) if not groups else None
        yield Segment(literal, matcher(read, regex), readers)


def _is_last(name: str, parts: list[str | Placeholder], pieces: list[list[str | Placeholder]]) -> bool:
    with_name = [segment for segment in pieces if any(_named(part, name) for part in segment)]
    return with_name[-1] is parts


def _named(part: str | Placeholder, name: str) -> bool:
    return isinstance(part, Placeholder) and part.name == name


def _distinct(
    name: str, pieces: list[list[str | Placeholder]], formats: Mapping[str, list[Format]]
) -> list[Format]:
    """Give the format of each regex group of `name`: one for each spec in each segment."""
    return [
        format_of(spec)
        for segment in pieces
        for spec in dict.fromkeys(
            part.spec for part in segment if isinstance(part, Placeholder) and part.name == name
        )
    ]


def _segment_regex(parts: list[str | Placeholder]) -> tuple[str, list[str], list[Part]]:
    """Write the regex of a segment, with the field's name for each of its groups, and the parts it stands for."""
    regex, groups, seen, read = "", list[str](), dict[tuple[str, str], int](), list[Part]()
    for part in parts:
        if isinstance(part, str):
            regex += re.escape(part)
            read.append(Part("literal", part))
        elif (part.name, part.spec) in seen:
            group = seen[part.name, part.spec]
            regex += f"(?P=g{group})"
            read.append(Part("again", group=group))
        else:
            form = format_of(part.spec)
            seen[part.name, part.spec] = len(groups)
            regex += f"(?P<g{len(groups)}>{form.regex})"
            read.append(Part(form.type, form.regex))
            groups.append(part.name)
    # Names that begin with a dot are hidden unless the pattern says the dot itself.
    hidden_too = not parts or isinstance(parts[0], str)
    return regex if hidden_too else r"(?!\.)" + regex, groups, read


def _reader(places: list[int], formats: list[Format]) -> Reader:
    """Make the function that reads a field from the texts of its places; a time is read as ISO text."""
    if len(places) == 1 and not formats[0].spec:
        return itemgetter(places[0])
    quick = _quick_reader(places[0], formats[0]) if len(places) == 1 else None
    return quick or _checked_reader(places, formats)


def _quick_reader(place: int, form: Format) -> Reader | None:
    if form.type == "datetime":
        read = iso_reader(form.spec)
        return read and (lambda texts: read(texts[place]))
    if form.type != "int":
        return None
    width = int(form.spec[:-1] or 0)
    checked = _checked_reader([place], [form])

    def read_whole(texts: Texts) -> Value:
        text = texts[place]
        if len(text) >= width and text[0] not in ("-" if len(text) == width else "-0"):
            return int(text)
        return checked(texts)

    return read_whole


def _checked_reader(places: list[int], formats: list[Format]) -> Reader:
    """Read all places of a field, and see that each would be written so."""
    read = _time_reader(places, formats) if formats[0].type == "datetime" else _first_reader(places, formats)
    checks = [(place, form.write, form.spec) for place, form in zip(places, formats, strict=True)]

    def read_checked(texts: Texts) -> Value:
        value = read(texts)
        for place, write, spec in checks:
            if write(value) != texts[place]:
                raise _misnamed(texts[place], write(value), spec)
        return iso(value) if isinstance(value, datetime) else value

    return read_checked


def _first_reader(places: list[int], formats: list[Format]) -> Reader:
    place, read = places[0], formats[0].read
    return lambda texts: read(texts[place])


def _time_reader(places: list[int], formats: list[Format]) -> Reader:
    cuts = [(place, time_components(form.spec)) for place, form in zip(places, formats, strict=True)]

    def read_time(texts: Texts) -> Value:
        components: dict[str, str] = {}
        for place, cut in cuts:
            components.update(cut(texts[place]))
        return time_from(components)

    return read_time


def _misnamed(text: str, written: str, spec: str) -> _Misnamed:
    how = f"the format {spec!r} would write" if spec else "another part of the path says"
    return _Misnamed(f"{text!r} stands where {how} {written!r}")

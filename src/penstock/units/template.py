"""Text with placeholders: `spectra/{file}.npz`, `--run={run:05d}`, `{param.window}`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from penstock.errors import DefinitionError
from penstock.units.formats import format_of
from penstock.units.values import IMPOSSIBLE, name_part

Render = Callable[[Mapping[str, Any]], str]

_PIECES = re.compile(r"(\{\{|\}\})|\{([^{}]*)\}|([{}])|([^{}]+)")
_NAME = re.compile(r"[A-Za-z_]\w*(\.[\w-]+)*")


class Placeholder(NamedTuple):
    """A name in braces, with its format spec."""

    name: str
    spec: str = ""


@dataclass(frozen=True, slots=True)
class Template:
    """Parsed text: `parts` are literal text and placeholders."""

    text: str
    parts: tuple[str | Placeholder, ...]
    names: tuple[str, ...]
    _plain: Render = field(repr=False, compare=False)
    _in_path: Render = field(repr=False, compare=False)

    @classmethod
    def parse(cls, text: str, specs: Mapping[str, str] | None = None) -> Template:
        """Parse `text`; `specs` are formats for placeholders that have none, by name.

        >>> Template.parse("run_{run:05d}.h5").render({"run": 1807})
        'run_01807.h5'
        """
        return cls._of(tuple(_parse_parts(text, specs or {})))

    @classmethod
    def _of(cls, parts: tuple[str | Placeholder, ...]) -> Template:
        names = tuple(dict.fromkeys(part.name for part in parts if isinstance(part, Placeholder)))
        text = "".join(map(_written, parts))
        return cls(text, parts, names, _compile(parts, in_path=False), _compile(parts, in_path=True))

    def fill(self, constants: Mapping[str, Any]) -> Template:
        """Return this template with `constants` put in as parts of a path; the other placeholders stay.

        >>> Template.parse("w{param.window}/{file}.npz").fill({"param.window": 1024}).text
        'w1024/{file}.npz'
        """
        parts: list[str | Placeholder] = []
        for part in self.parts:
            if isinstance(part, Placeholder) and part.name in constants:
                part = _piece(part, in_path=True)(constants[part.name])
            if isinstance(part, str):
                _append_text(parts, part)
            else:
                parts.append(part)
        return self._of(tuple(parts))

    def render(self, values: Mapping[str, Any], *, in_path: bool = False) -> str:
        """Fill in `values`; `in_path` keeps each text within its part of a path."""
        try:
            return self._in_path(values) if in_path else self._plain(values)
        except KeyError as missing:
            raise DefinitionError(
                unknown_name(str(missing.args[0]), values, f"the text {self.text!r}")
            ) from None


def unknown_name(name: str, names: Mapping[str, Any] | list[str], place: str) -> str:
    """Write the sentence about an unknown name, with the nearest of `names`."""
    from difflib import get_close_matches

    known = sorted(names)
    near = get_close_matches(name, known, n=1)
    remedy = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known) or 'none'}"
    return f"{place} names {name!r}, which is unknown; {remedy}"


def _parse_parts(text: str, specs: Mapping[str, str]) -> list[str | Placeholder]:
    parts: list[str | Placeholder] = []
    for doubled, inside, stray, literal in _PIECES.findall(text):
        if stray:
            raise DefinitionError(
                f"the text {text!r} has a single {stray!r}; write {stray * 2} for the character itself"
            )
        if doubled or literal:
            _append_text(parts, literal or doubled[0])
        else:
            parts.append(_placeholder(inside, text, specs))
    return parts


def _written(part: str | Placeholder) -> str:
    """Write a part as `parse` reads it."""
    if isinstance(part, str):
        return part.replace("{", "{{").replace("}", "}}")
    return f"{{{part.name}:{part.spec}}}" if part.spec else f"{{{part.name}}}"


def _append_text(parts: list[str | Placeholder], text: str) -> None:
    last = parts[-1] if parts else None
    if isinstance(last, str):
        parts[-1] = last + text
    else:
        parts.append(text)


def _placeholder(inside: str, text: str, specs: Mapping[str, str]) -> Placeholder:
    name, _, spec = inside.partition(":")
    if not _NAME.fullmatch(name):
        raise DefinitionError(
            f"{{{inside}}} in the text {text!r} is not a placeholder; write {{{{ and }}}} for the characters themselves"
        )
    format_of(spec)
    return Placeholder(name, spec or specs.get(name, ""))


def _compile(parts: tuple[str | Placeholder, ...], *, in_path: bool) -> Render:
    """Turn parts into one function; this is called millions of times."""
    placeholders = [part for part in parts if isinstance(part, Placeholder)]
    literal = "".join("%s" if isinstance(part, Placeholder) else part.replace("%", "%%") for part in parts)
    pieces = [(placeholder.name, _piece(placeholder, in_path=in_path)) for placeholder in placeholders]
    if not pieces:
        text = literal % ()
        return lambda values: text
    if len(pieces) == 1:
        ((name, write),) = pieces
        if literal == "%s":
            return lambda values: write(values[name])
        return lambda values: literal % write(values[name])
    return lambda values: literal % tuple([write(values[name]) for name, write in pieces])


def _piece(placeholder: Placeholder, *, in_path: bool) -> Callable[[Any], str]:
    write, spec = format_of(placeholder.spec).write, placeholder.spec

    def as_text(value: Any) -> str:
        return value if value.__class__ is str else write(value)

    def as_part(value: Any) -> str:
        if spec or value.__class__ is not str:
            value = write(value)
        if "%" in value or "/" in value or "\n" in value or "\0" in value or value in IMPOSSIBLE:
            return name_part(value)
        return value

    return as_part if in_path else write if spec else as_text

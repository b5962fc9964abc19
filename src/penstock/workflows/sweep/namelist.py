"""A value in a Fortran namelist (ISO/IEC 1539-1, 13.11), found by group and name and replaced where it stands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from penstock.workflows.sweep.place import Span, Style, line_of

# Texts ('it''s'), comments, complex numbers, names with subscripts, single characters that mean something, words.
_TOKEN = re.compile(
    r"(?P<text>'(?:''|[^'\r\n])*'|\"(?:\"\"|[^\"\r\n])*\")"
    r"|(?P<comment>![^\r\n]*)"
    r"|(?P<group>[&$][A-Za-z_]\w*)"
    r"|(?P<name>[A-Za-z_][\w%]*[ \t]*(?:\([^()]*\)[ \t]*)?(?==))"
    r"|(?P<complex>\([^()]*\))"
    r"|(?P<sign>[=,/])"
    r"|(?P<word>[^\s,/=!'\"]+)"
)


class Token(NamedTuple):
    """A piece of a namelist."""

    kind: str
    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Assigned:
    """The value of `name` in the group `&group`, case aside; `element` counts those of a list from 1."""

    group: str
    name: str
    element: int = 1

    def find(self, text: str) -> Span:
        """Find the value, as one token: a text keeps its quotes, a repeat count is refused."""
        found = [self._values(inside, n) for inside in self._groups(text) for n in self._named(inside)]
        if len(found) != 1:
            lines = ", ".join(str(line_of(text, values[0].start)) for values in found if values)
            why = "is not there" if not found else f"is there {len(found)} times (lines {lines})"
            raise ValueError(f"{self.name} {why} in &{self.group}")
        values = found[0]
        if len(values) < self.element:
            raise ValueError(
                f"{self.name} in &{self.group} has {len(values)} values and no value {self.element}"
            )
        token = values[self.element - 1]
        if any(re.match(r"[0-9]+\*", each.text) for each in values[: self.element]):
            raise ValueError(f"{self.name} in &{self.group} has a repeat count; write its values one by one")
        return Span(token.start, token.end, _style(token), _bare_text(token))

    def _groups(self, text: str) -> Iterator[list[Token]]:
        """Yield what stands in each group of the name."""
        inside: list[Token] | None = None
        for token in tokens(text):
            name = token.text[1:].lower() if token.kind == "group" else ""
            if inside is not None and (token.text == "/" or name == "end"):
                yield inside
                inside = None
            elif inside is None and name:
                inside = [] if name == self.group.lower() else None
            elif inside is not None and token.kind != "comment":
                inside.append(token)

    def _named(self, inside: list[Token]) -> list[int]:
        wanted = "".join(self.name.lower().split())
        return [n for n, token in enumerate(inside) if token.kind == "name" and _bare(token) == wanted]

    def _values(self, inside: list[Token], at: int) -> list[Token]:
        values, may_end = list[Token](), False
        for token in inside[at + 2 :]:  # past the name and =
            if token.kind == "name":
                break
            if token.kind != "sign":
                values.append(token)
            elif not may_end:
                raise ValueError(f"{self.name} in &{self.group} leaves a value out; write them all")
            may_end = token.kind != "sign"
        return values


def _style(token: Token) -> Style:
    """Return how a value is written in the place of a token, which keeps its quotes."""
    quote = token.text[0] if token.kind == "text" else ""

    def write(text: str, quoted: bool) -> str:
        mark = quote or ("'" if quoted else "")
        return mark + text.replace(mark, mark * 2) + mark if mark else text

    return write


def _bare_text(token: Token) -> str:
    mark = token.text[0]
    return token.text[1:-1].replace(mark * 2, mark) if token.kind == "text" else token.text


def _bare(token: Token) -> str:
    return "".join(token.text.lower().split())


def tokens(text: str) -> Iterator[Token]:
    """Yield the tokens of a file of namelists; what stands between groups gives tokens, too."""
    for found in _TOKEN.finditer(text):
        yield Token(found.lastgroup or "", found[0], found.start(), found.end())

"""An input file with its swept values taken out: what is not swept stays byte for byte."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from penstock.errors import DefinitionError
from penstock.units import unknown_name
from penstock.workflows.sweep.place import Span, Style, as_it_is, line_of
from penstock.workflows.sweep.value import Value
from penstock.workflows.sweep.variable import DOUBLE, Variable

#: byte-order marks, the longer ones first; no text editor writes UTF-16 or UTF-32 without
MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_EXPONENT = re.compile(r"[eEdD][+-]?[0-9]").match
_HAS_EXPONENT = re.compile(r"[eEdD]").search

Delimiters = tuple[str, str]
Values = Mapping[str, Value]


class Slot(NamedTuple):
    """Where a value goes; `joined` says that an exponent follows, as in `<<tolerance>>d0`.

    `now` is what stands in the file, and `bytes` how: what nobody varies stays so.
    """

    variable: Variable
    style: Style
    line: int
    joined: bool = False
    now: Value | None = None
    bytes: bytes = b""

    def fill(self, value: Value) -> str:
        """Write a value. Raises ValueError if it cannot stand here."""
        text = self.variable.write(value)
        if self.joined and _HAS_EXPONENT(text):
            raise ValueError(
                f"an exponent follows {text}; remove it from the file, or use the format {DOUBLE!r}"
            )
        return self.style(text, self.variable.quoted)


@dataclass(frozen=True, slots=True)
class Template:
    """An input file as bytes that stay and slots that are filled."""

    name: str
    file: Path
    encoding: str
    pieces: tuple[bytes | Slot, ...]

    @classmethod
    def parse(
        cls,
        raw: bytes,
        *,
        name: str,
        file: Path,
        variables: Mapping[str, Variable],
        delimiters: Delimiters,
        encoding: str = "utf-8",
    ) -> Template:
        """Find the slots of an input file: its placeholders, and the places that variables name in it.

        Raises DefinitionError, with the line.
        """
        encoding = next((known for mark, known in MARKS if raw.startswith(mark)), encoding)
        text = decode(raw, encoding, file)
        found = [
            *_placeholders(text, delimiters, variables, file),
            *_places(text, name, variables.values(), file),
        ]
        found.sort(key=lambda each: each[0][:2])
        _refuse_overlaps(found, text, file)
        return cls(name, file, encoding, tuple(_cut(text, found, encoding)))

    @property
    def names(self) -> set[str]:
        """Name the variables that stand in it."""
        return {piece.variable.name for piece in self.pieces if isinstance(piece, Slot)}

    def render(self, values: Values) -> bytes:
        """Fill the slots. Raises DefinitionError, with the line, for a value that cannot stand there."""
        return b"".join(
            [
                each if isinstance(each, bytes) else self._fill(each, values[each.variable.name])
                for each in self.pieces
            ]
        )

    def check(self, values: Mapping[str, Iterable[Value]]) -> None:
        """Raise DefinitionError if one of these values cannot stand where it would."""
        for slot in self.pieces:
            if isinstance(slot, Slot):
                for value in values.get(slot.variable.name, ()):
                    self._fill(slot, value)

    @property
    def found(self) -> dict[str, Value]:
        """Return what stands in the file where variables have their places."""
        return {
            each.variable.name: each.now
            for each in reversed(self.pieces)
            if isinstance(each, Slot) and each.now
        }

    def _fill(self, slot: Slot, value: Value) -> bytes:
        if value == slot.now:
            return slot.bytes
        try:
            return slot.fill(value).encode(self.encoding)
        except UnicodeEncodeError:
            why = f"{value.text!r} cannot be written in {self.encoding}; say the input's encoding"
        except ValueError as error:
            why = str(error)
        raise DefinitionError(f"{slot.variable.name}: {why}", file=self.file, line=slot.line)


def decode(raw: bytes, encoding: str, file: Path) -> str:
    """Read bytes as text that gives the same bytes back, whatever is in them."""
    errors = _errors(encoding)
    try:
        text = raw.decode(encoding, errors)
        if text.encode(encoding, errors) == raw:
            return text
    except (UnicodeError, LookupError):
        pass
    raise DefinitionError(f"the file is not {encoding}; say its encoding in the program", file=file)


def _errors(encoding: str) -> str:
    """Name the way in which an encoding keeps what is none of its characters."""
    return "surrogatepass" if encoding.startswith(("utf-16", "utf-32")) else "surrogateescape"


Found = tuple[Span, Variable]


def _placeholders(
    text: str, delimiters: Delimiters, variables: Mapping[str, Variable], file: Path
) -> Iterator[Found]:
    for start, end, name in find_names(text, delimiters):
        if name not in variables:
            shown, line = text[start:end], line_of(text, start)
            message = unknown_name(name, list(variables), f"the placeholder {shown}")
            remedy = f"{message}; or choose other delimiters than {' '.join(delimiters)}"
            raise DefinitionError(remedy, file=file, line=line)
        yield Span(start, end, as_it_is), variables[name]


def find_names(text: str, delimiters: Delimiters) -> Iterator[tuple[int, int, str]]:
    """Yield beginnings, ends and names of all that stands between delimiters and may be a name."""
    left, right = map(re.escape, delimiters)
    for found in re.finditer(rf"{left}[ \t]*([A-Za-z_]\w*)[ \t]*{right}", text, re.ASCII):
        yield found.start(), found.end(), found[1]


def _places(text: str, name: str, variables: Iterable[Variable], file: Path) -> Iterator[Found]:
    for variable in variables:
        for place in variable.places:
            if place.input == name:
                try:
                    yield place.spot.find(text), variable
                except ValueError as error:
                    raise DefinitionError(f"{variable.name} has no place: {error}", file=file) from None


def _refuse_overlaps(found: Sequence[Found], text: str, file: Path) -> None:
    for (one, first), (two, second) in pairwise(found):
        if two.start < one.end or one.start == two.start:
            names = " and ".join({first.name: 1, second.name: 1})
            message = f"{names} have the same place; give each its own"
            raise DefinitionError(message, file=file, line=line_of(text, two.start))


def _cut(text: str, found: Sequence[Found], encoding: str) -> Iterator[bytes | Slot]:
    at, line, errors = 0, 1, _errors(encoding)
    for span, variable in found:
        before = text[at : span.start]
        line += line_of(before, len(before)) - 1
        if before:
            yield before.encode(encoding, errors)
        raw = text[span.start : span.end].encode(encoding, errors)
        yield Slot(variable, span.style, line, bool(_EXPONENT(text, span.end)), _now(span, variable), raw)
        at = span.end
    if text[at:]:
        yield text[at:].encode(encoding, errors)


def _now(span: Span, variable: Variable) -> Value | None:
    try:
        return None if span.now is None else variable.parse(span.now)
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class Argument:
    """An element of argv, as texts and variables in turn."""

    pieces: tuple[str | Variable, ...]

    @classmethod
    def parse(cls, text: str, *, variables: Mapping[str, Variable], delimiters: Delimiters) -> Argument:
        """Find the placeholders of an argument. Raises ValueError."""
        pieces, at = list[str | Variable](), 0
        for start, end, name in find_names(text, delimiters):
            if name not in variables:
                raise ValueError(unknown_name(name, list(variables), f"the argument {text!r}"))
            pieces += [text[at:start], variables[name]]
            at = end
        return cls(tuple(piece for piece in (*pieces, text[at:]) if piece != ""))

    @property
    def names(self) -> set[str]:
        """Name the variables that stand in it."""
        return {piece.name for piece in self.pieces if isinstance(piece, Variable)}

    def render(self, values: Values) -> str:
        """Fill it in; it stays one argument, whatever is in it."""
        return "".join([p if isinstance(p, str) else p.write(values[p.name]) for p in self.pieces])

"""A value in JSON text, found by its pointer (RFC 6901) and replaced where it stands."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from penstock.workflows.sweep.place import Span, line_of

_DECODER = json.JSONDecoder()
_BLANK = re.compile(r"[ \t\r\n]*")
_VALID = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false")


@dataclass(frozen=True, slots=True)
class Pointed:
    """The value at a JSON pointer such as `/grid/nx` or `/sizes/0`."""

    pointer: str

    def find(self, text: str) -> Span:
        """Find the value, which must be a text, a number, true, false or null."""
        start = 1 if text.startswith("\ufeff") else 0
        try:
            json.loads(text[start:])
        except json.JSONDecodeError as error:
            raise ValueError(f"the file is not JSON: {error.msg} in line {error.lineno}") from None
        except RecursionError:
            raise ValueError("the file is nested too deeply") from None
        at = _blank(text, start)
        for token in self._tokens():
            at = self._enter(text, at, token)
        if text[at] in "{[":
            raise ValueError(
                f"{self.pointer} is a {'list' if text[at] == '[' else 'table'}; point at one value in it"
            )
        end = _end(text, at)
        if text[at] == '"':
            return Span(at, end, as_text, json.loads(text[at:end]))
        return Span(at, end, as_json, text[at:end])

    def _tokens(self) -> list[str]:
        if self.pointer and not self.pointer.startswith("/"):
            raise ValueError(f"the pointer {self.pointer!r} does not begin with /")
        return [token.replace("~1", "/").replace("~0", "~") for token in self.pointer.split("/")[1:]]

    def _enter(self, text: str, at: int, token: str) -> int:
        """Return where the member or element of that name begins."""
        found = [start for name, start in _members(text, at) if name == token]
        if len(found) != 1:
            why = "is not there" if not found else "is there twice"
            raise ValueError(f"{self.pointer} {why} ({token!r}, in line {line_of(text, at)})")
        return found[0]


def _members(text: str, at: int) -> list[tuple[str, int]]:
    """Return names and beginnings of what a table or a list holds; of anything else, nothing."""
    closing = {"{": "}", "[": "]"}.get(text[at])
    members = list[tuple[str, int]]()
    if closing is None:
        return members
    at = _blank(text, at + 1)
    while text[at] != closing:
        name = str(len(members))
        if closing == "}":
            name, at = _DECODER.raw_decode(text, at)
            at = _blank(text, _blank(text, at) + 1)  # past the colon
        members.append((name, at))
        at = _blank(text, _end(text, at))
        if text[at] == ",":
            at = _blank(text, at + 1)
    return members


def _blank(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return found.end() if found else at


def _end(text: str, at: int) -> int:
    """Return where a value ends; the text is known to be JSON."""
    return _DECODER.raw_decode(text, at)[1]


def as_text(text: str, _quoted: bool) -> str:
    """Write a value in the place of a text."""
    return json.dumps(text, ensure_ascii=False)


def as_json(text: str, quoted: bool) -> str:
    """Write a value in the place of a number, true, false or null."""
    if quoted:
        return as_text(text, quoted)
    if not _VALID.fullmatch(text):
        raise ValueError(
            f"{text} is no JSON number; write it as in 0.5 or 1e-7, or give the variable a format"
        )
    return text

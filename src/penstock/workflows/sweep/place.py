"""Places of values in an input file, found without a template, to the character."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from penstock.workflows.sweep.value import shown

MARK = "\ufeff"  # of byte order; no part of the first word

Style = Callable[[str, bool], str]
"""Writes a value's text as its file wants it; the second says whether it is text rather than a number or a truth."""


class Span(NamedTuple):
    """Where a value stands, how it is written there, and what it is now (None: a placeholder)."""

    start: int
    end: int
    style: Style
    now: str | None = None


class Spot(Protocol):
    """A way to say where a value is."""

    def find(self, text: str) -> Span:
        """Find it. Raises ValueError with what is missing."""
        ...


@dataclass(frozen=True, slots=True)
class Place:
    """Where a variable stands: in which input, and where in it."""

    input: str
    spot: Spot


def as_it_is(text: str, _quoted: bool) -> str:
    """Write the text alone."""
    return text


@dataclass(frozen=True, slots=True)
class WordOfLine:
    """The n-th word of a line, both counted from 1; blanks and all other words stay."""

    line: int
    word: int = 1

    def find(self, text: str) -> Span:
        """Find the word."""
        start, end = self._line(text)
        at = start
        for number in range(1, self.word + 1):
            while at < end and text[at] in " \t":
                at += 1
            begin = at
            while at < end and text[at] not in " \t":
                at += 1
            if begin == at:
                raise ValueError(f"line {self.line} has {number - 1} words and no word {self.word}")
            if number == self.word:
                return Span(begin, at, one_word, text[begin:at])
        raise ValueError(f"words are counted from 1, not {self.word}")

    def _line(self, text: str) -> tuple[int, int]:
        lines = list(line_bounds(text))
        if not 1 <= self.line <= len(lines):
            raise ValueError(f"there are {len(lines)} lines and no line {self.line}")
        start, end = lines[self.line - 1]
        return start + text.startswith(MARK, start), end


def one_word(text: str, _quoted: bool) -> str:
    """Write a text that must not become two words."""
    if not text or " " in text:
        raise ValueError(f"{shown(text)} is not one word, which its place on the line is for")
    return text


def line_bounds(text: str) -> list[tuple[int, int]]:
    """Return where lines begin and end, without their ends: LF, CR LF or CR."""
    bounds, start = list[tuple[int, int]](), 0
    while start < len(text):
        ends = [at for at in (text.find("\n", start), text.find("\r", start)) if at >= 0]
        end = min(ends, default=len(text))
        bounds.append((start, end))
        start = end + (2 if text.startswith("\r\n", end) else 1)
    return bounds


def line_of(text: str, at: int) -> int:
    """Return the number of the line of a character, from 1."""
    before = text[:at].replace("\r\n", "\n").replace("\r", "\n")
    return before.count("\n") + 1

"""The line of each key in a definition's file, so that errors can point there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from penstock.errors import DefinitionError

Keys = tuple[str, ...]

_KEY = r'(?:[A-Za-z0-9_-]+|"[^"]*"|\'[^\']*\')'
_DOTTED = rf"{_KEY}(?:\s*\.\s*{_KEY})*"
_HEADER = re.compile(rf"\s*\[\[?\s*({_DOTTED})\s*\]")
_ASSIGNMENT = re.compile(rf"\s*({_DOTTED})\s*=(.*)", re.DOTALL)
_INLINE = re.compile(rf"[{{,]\s*({_DOTTED})\s*=")


@dataclass(frozen=True, slots=True)
class Places:
    """The file of a definition, the line of each of its keys, and the keys that `--set` gave."""

    file: Path | None = None
    lines: Mapping[Keys, int] = field(default_factory=dict[Keys, int])
    overridden: Mapping[Keys, str] = field(default_factory=dict[Keys, str])

    def line(self, keys: Keys) -> int | None:
        """Return the line of `keys`, or of the nearest table above them."""
        for end in range(len(keys), 0, -1):
            if keys[:end] in self.lines:
                return self.lines[keys[:end]]
        return None

    def error(self, keys: Keys, message: str) -> DefinitionError:
        """Make the error about the value at `keys`."""
        for given, text in self.overridden.items():
            is_above, is_below = given == keys[: len(given)], given[: len(keys)] == keys
            if is_above or (is_below and keys not in self.lines):
                return DefinitionError(f"--set {text}: {message}")
        return DefinitionError(message, file=self.file, line=self.line(keys))


def nearest(name: str, known: list[str]) -> str:
    """Suggest what could have been meant: `did you mean 'window'?`, or all that exist."""
    from difflib import get_close_matches

    near = get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known) or 'none'}"


def find_lines(text: str) -> dict[Keys, int]:
    """Find the line of each key in TOML text that is known to be valid."""
    lines: dict[Keys, int] = {}
    table: Keys = ()
    for number, line in _logical_lines(text):
        if header := _HEADER.match(line):
            table = _keys(header[1])
            _add(lines, table, number)
        elif assignment := _ASSIGNMENT.match(line):
            keys = table + _keys(assignment[1])
            _add(lines, keys, number)
            _add_inline(lines, keys, assignment[2], number)
    return lines


def _add(lines: dict[Keys, int], keys: Keys, number: int) -> None:
    for end in range(1, len(keys) + 1):
        lines.setdefault(keys[:end], number)


def _add_inline(lines: dict[Keys, int], keys: Keys, value: str, number: int) -> None:
    for inner in _INLINE.finditer(value):
        at = number + value.count("\n", 0, inner.start(1))
        lines.setdefault(keys + _keys(inner[1]), at)


def _keys(dotted: str) -> Keys:
    return tuple(key.strip("\"'") for key in re.findall(_KEY, dotted))


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Join the lines of a value that spans several: brackets and triple quotes decide."""
    kept, start, depth, quote = list[str](), 0, 0, ""
    for number, line in enumerate(text.splitlines(keepends=True), 1):
        start = start if kept else number
        kept.append(line)
        depth, quote = _state_after(line, depth, quote)
        if depth <= 0 and not quote:
            yield start, "".join(kept)
            kept, depth = [], 0
    if kept:
        yield start, "".join(kept)


_TOKENS = re.compile(
    r'"""(?:\\.|[^\\])*?"""|\'\'\'.*?\'\'\'|("""|\'\'\')'
    r'|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'|#[^\n]*|([\[{])|([\]}])',
    re.DOTALL,
)
_UNTIL = {
    '"""': re.compile(r'(?:\\.|[^\\])*?"""', re.DOTALL),
    "'''": re.compile(r".*?'''", re.DOTALL),
}


def _state_after(line: str, depth: int, quote: str) -> tuple[int, str]:
    """Return how deep in brackets, and in which triple quotes, a line ends that begins so."""
    if quote:
        closed = _UNTIL[quote].match(line)
        if closed is None:
            return depth, quote
        line = line[closed.end() :]
    for unclosed, opening, closing in _TOKENS.findall(line):
        if unclosed:
            return depth, unclosed
        depth += bool(opening) - bool(closing)
    return depth, ""

"""Matching a name against a segment of a pattern: by a regular expression, which is quick, or without backtracking.

Names come from outside, and a regular expression of several fields that can each be of any length takes a time that is
exponential in their number. What it finds is found here in a time that is linear in the name: from its end, where each
part may begin; then from its beginning each field as short, or as long, as that allows.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from math import comb
from typing import NamedTuple, Protocol

MOST_STEPS = 100_000  # of a regular expression on one name: a millisecond
LONGEST = 4096  # of a part of a path, in any file system
MOST_TRIES = 10_000  # with fields that are repeated within a name, whose text is known only on the way

Span = tuple[int, int]


class Matched(Protocol):
    """What was found: `re.Match`, or our own."""

    def groups(self) -> tuple[str, ...]: ...


class Groups(NamedTuple):
    """The texts of the fields of a name."""

    texts: tuple[str, ...]

    def groups(self) -> tuple[str, ...]:
        return self.texts


class Part(NamedTuple):
    """One part of a segment: `ends` says, as a set of bits, where it may end that begins at a place of a name."""

    kind: str  # literal, again, or the type of a field
    text: str = ""  # of a literal; of a time its regular expression
    group: int = -1  # of `again`: the field that it repeats

    @property
    def varies(self) -> bool:
        """Whether its length is not known beforehand."""
        return self.kind not in ("literal", "datetime")

    def ends(self, name: str, start: int) -> int:
        match self.kind:
            case "literal":
                return name.startswith(self.text, start) << (start + len(self.text))
            case "datetime":
                found = re.compile(self.text).match(name, start)
                return 1 << found.end() if found else 0
            case "int":
                return bits(*_digits(name, start + name.startswith("-", start)))
            case "float":
                return _float_ends(name, start)
            case _:
                return bits(start + 1, len(name))


def matcher(parts: Sequence[Part], regex: str) -> Callable[[str], Matched | None]:
    """Return what matches a name with `parts`, whose regular expression is `regex`."""
    quick = re.compile(regex, re.DOTALL).fullmatch
    if sum(part.varies for part in parts) < 3:
        return quick
    ends = Counter(two.text[0] for one, two in pairwise(parts) if one.varies)
    separators = [(text, _choices(times)) for text, times in ends.items()]
    hidden_too = parts[0].kind == "literal"

    def match(name: str) -> Matched | None:
        if len(name) >= LONGEST:
            return None
        steps = len(name)
        for separator, choices in separators:
            steps *= choices[name.count(separator)]
        if steps <= MOST_STEPS:
            return quick(name) if steps else None
        return None if name.startswith(".") and not hidden_too else match_slowly(parts, name)

    return match


@lru_cache
def _choices(fields: int) -> tuple[int, ...]:
    """Say, for each number of separators in a name, in how many ways fields can end at them; at most so many."""
    return tuple(comb(count + fields, fields) if count >= fields else 0 for count in range(LONGEST))


def match_slowly(parts: Sequence[Part], name: str) -> Groups | None:
    """Match without backtracking; None also where repeated fields would need too many tries."""
    reach = [0] * len(parts) + [1 << len(name)]
    for number in range(len(parts) - 1, -1, -1):
        reach[number] = _begins(parts[number], name, reach[number + 1])
    if not reach[0] & 1:
        return None
    spans = _Search(parts, name, reach).spans()
    return None if spans is None else Groups(tuple(name[start:end] for start, end in spans))


def _begins(part: Part, name: str, after: int) -> int:
    """Return where a part may begin that is to end in `after`."""
    if part.kind in ("str", "again"):
        return (1 << max(0, after.bit_length() - 1)) - 1
    return sum(1 << start for start in range(len(name) + 1) if part.ends(name, start) & after)


@dataclass(slots=True)
class _Search:
    """Follows what can be reached; only a repeated field can lead to a dead end."""

    parts: Sequence[Part]
    name: str
    reach: Sequence[int]
    tries: int = 0

    def spans(self, number: int = 0, start: int = 0, found: tuple[Span, ...] = ()) -> tuple[Span, ...] | None:
        """Return the fields from a part on, as the regular expression would choose them."""
        if number == len(self.parts):
            return found
        part = self.parts[number]
        left = self.ends(part, start, found) & self.reach[number + 1]
        while left and self.tries < MOST_TRIES:
            self.tries += 1
            chosen = left.bit_length() - 1 if part.kind == "float" else (left & -left).bit_length() - 1
            left ^= 1 << chosen
            more = found if part.kind in ("literal", "again") else (*found, (start, chosen))
            if (rest := self.spans(number + 1, chosen, more)) is not None:
                return rest
        return None

    def ends(self, part: Part, start: int, found: tuple[Span, ...]) -> int:
        if part.kind != "again":
            return part.ends(self.name, start)
        begin, end = found[part.group]
        return self.name.startswith(self.name[begin:end], start) << (start + end - begin)


def bits(first: int, last: int) -> int:
    """Return the set of the numbers from `first` to `last`; of none if there are none."""
    return ((1 << (last + 1)) - 1) & -(1 << first) if first <= last else 0


_run_of_digits = re.compile("[0-9]*").match


def _digits(name: str, start: int) -> Span:
    """Return where one digit and where all digits from `start` on end."""
    found = _run_of_digits(name, start)
    return start + 1, found.end() if found else start


def _float_ends(name: str, start: int) -> int:
    first, last = _digits(name, start + name.startswith("-", start))
    if first > last:
        return 0
    ends = bits(first, last)
    if name.startswith(".", last):
        first, end = _digits(name, last + 1)
        if first <= end:
            ends |= bits(first, end)
            last = end
            return ends | _exponent_ends(name, last)
    return ends | _exponent_ends(name, last)


def _exponent_ends(name: str, start: int) -> int:
    if not name.startswith("e", start):
        return 0
    signed = name.startswith(("+", "-"), start + 1)
    return bits(*_digits(name, start + 1 + signed))

"""Recordings laid out in time: gaps, overlaps, and the bins of a long-term average."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time in seconds since 1970-01-01 UTC; `end` is outside."""

    begin: float
    end: float

    @property
    def length(self) -> float:
        return self.end - self.begin


def seconds(moment: datetime) -> float:
    """Give the seconds since 1970-01-01 UTC, exact to the microsecond."""
    return (moment - EPOCH) / timedelta(seconds=1)


def moment(seconds: float) -> datetime:
    return EPOCH + timedelta(seconds=seconds)


def between(spans: Sequence[Span]) -> Iterator[tuple[int, float]]:
    """Give, for each span but the first, its place and its distance from all before it.

    Spans are sorted by begin. Positive: a gap; negative: an overlap.

    >>> list(between([Span(0, 10), Span(12, 20), Span(15, 16)]))
    [(1, 2), (2, -5)]
    """
    latest = spans[0].end if spans else 0.0
    for place, span in enumerate(spans[1:], start=1):
        yield place, span.begin - latest
        latest = max(latest, span.end)


@dataclass(frozen=True, slots=True)
class Bins:
    """Equal bins of time, counted from 1970-01-01 UTC so that those of all files agree."""

    width: float
    first: int
    count: int

    @classmethod
    def over(cls, span: Span, width: float) -> Bins:
        first = math.floor(span.begin / width)
        last = math.ceil(span.end / width - 1e-9) - 1
        return cls(width, first, max(1, last - first + 1))

    def starts(self) -> list[float]:
        return [(self.first + i) * self.width for i in range(self.count)]

    def seconds_inside(self, span: Span) -> list[float]:
        """Give how much of the span lies in each bin."""
        return [
            max(0.0, min(span.end, start + self.width) - max(span.begin, start)) for start in self.starts()
        ]


WIDTHS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)


def choose_width(span: Span, base: float, most: int = 2000) -> float:
    """Choose a bin, a multiple of `base`, so that there are at most `most` of them."""
    least = max(base, span.length / most)
    for width in WIDTHS:
        if width >= least and is_multiple(width, base):
            return float(width)
    return base * math.ceil(least / base)


def is_multiple(width: float, base: float) -> bool:
    ratio = width / base
    return ratio >= 1 - 1e-9 and abs(ratio - round(ratio)) < 1e-9 * ratio


CALENDAR = ("day", "month", "whole")


def edges_over(span: Span, width: float | str, base: float) -> list[float]:
    """Give the borders of time bins that cover a span: of a width in seconds, or by the calendar (UTC).

    `base` is the width of the bins that are added up; "whole" is one bin from the first of them to the last.

    >>> len(edges_over(Span(0, 40 * 86400), "month", 10.0))
    3
    """
    if width == "whole":
        bins = Bins.over(span, base)
        return [bins.first * base, (bins.first + bins.count) * base]
    if width == "month":
        return list(_months(span))
    bins = Bins.over(span, 86400.0 if width == "day" else float(width))
    return [(bins.first + i) * bins.width for i in range(bins.count + 1)]


def _months(span: Span) -> Iterator[float]:
    at = moment(span.begin)
    year, month = at.year, at.month
    while True:
        edge = seconds(datetime(year, month, 1, tzinfo=UTC))
        yield edge
        if edge >= span.end:
            return
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)

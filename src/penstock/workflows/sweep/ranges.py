"""Ranges of decimal numbers: arithmetic on the text that was typed, never on floats."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from decimal import Decimal, localcontext
from fractions import Fraction

from penstock.workflows.sweep.value import number

MOST = 1_000_000
EXACT = 1000  # digits: the difference of any two doubles has fewer
SHOWN = 17  # digits that a double can need


def stepped(start: str, stop: str, step: str) -> list[str]:
    """List start, start + step, … up to stop, which is in it if hit and never passed. Raises ValueError.

    >>> stepped("3", "2.7", "-0.1")
    ['3', '2.9', '2.8', '2.7']
    """
    first, last, by = number(start), number(stop), number(step)
    if by == 0:
        raise ValueError("the step is 0; give another, or a count")
    if first != last and (last > first) != (by > 0):
        raise ValueError(f"steps of {step} from {start} never come to {stop}; change the sign of the step")
    if (Fraction(last) - Fraction(first)) / Fraction(by) >= MOST:
        raise ValueError(
            f"there are more than {MOST:,} steps of {step} from {start} to {stop}; take larger ones"
        )
    with _exactly():
        steps = int((last - first) // by)
        middle = [_text(first + n * by, start + step) for n in range(1, steps)]
        if steps == 0:
            return [start]
        end = first + steps * by
        return [start, *middle, stop if end == last else _text(end, start + step)]


def counted(start: str, stop: str, count: int) -> list[str]:
    """List `count` numbers at equal distances, both ends included. Raises ValueError.

    >>> counted("0", "1", 5)
    ['0', '0.25', '0.5', '0.75', '1']
    """
    first, last = number(start), number(stop)
    _check_count(first, last, count)
    if count == 1:
        return [start]
    low, by = Fraction(first), (Fraction(last) - Fraction(first)) / (count - 1)
    with _exactly():
        middle = [_shortest(low + n * by, start + stop) for n in range(1, count - 1)]
    return [start, *middle, stop]


def logarithmic(start: str, stop: str, count: int) -> list[str]:
    """List `count` numbers with equal ratios, both ends included. Raises ValueError.

    >>> logarithmic("1", "1000", 4)
    ['1', '10', '100', '1000']
    """
    first, last = number(start), number(stop)
    _check_count(first, last, count)
    if first <= 0 or last <= 0:
        raise ValueError(
            f"a logarithmic range has no place for {start if first <= 0 else stop}; begin above 0"
        )
    if count == 1:
        return [start]
    with localcontext(prec=50):
        low, by = first.log10(), (last.log10() - first.log10()) / (count - 1)
        return [start, *(_nearest(10 ** (low + n * by)) for n in range(1, count - 1)), stop]


def _check_count(first: Decimal, last: Decimal, count: int) -> None:
    if not 1 <= count <= MOST:
        raise ValueError(f"the count is {count}; give 1 to {MOST:,}")
    if first == last and count > 1:
        raise ValueError(f"{count} values from {first} to {last} are all the same; count 1")
    if first != last and count == 1:
        raise ValueError(f"one value cannot be both {first} and {last}; count at least 2")


@contextmanager
def _exactly() -> Generator[None]:
    with localcontext(prec=EXACT):
        yield


def _text(exact: Decimal, like: str) -> str:
    """Write a number with the `e` or `E` of those that were typed."""
    text = str(exact)
    return text if "E" in like else text.replace("E", "e")


def _shortest(exact: Fraction, like: str) -> str:
    """Write a number that ends in decimals as these, any other as the nearest double."""
    decimal = Decimal(exact.numerator) / exact.denominator
    if Fraction(decimal) == exact and len(decimal.as_tuple().digits) <= SHOWN:
        return _text(decimal, like)
    return repr(float(exact))


def _nearest(decimal: Decimal) -> str:
    """Write the double nearest to a number, without the `.0` of a whole one."""
    return repr(float(decimal)).removesuffix(".0")

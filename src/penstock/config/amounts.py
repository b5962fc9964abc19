"""Durations, sizes and GPUs as people write them: `90s`, `20min`, `2GB`, `a100:2`."""

from __future__ import annotations

import re
from typing import Any

SECONDS = {"ms": 0.001, "s": 1, "sec": 1, "min": 60, "m": 60, "h": 3600, "d": 86400}
BYTES = {
    "B": 1,
    "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
    "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40,  # as schedulers read them
    "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40,
}  # fmt: skip

LONGEST_S = 30 * 365 * 86400  # a run that waits for it would not end
MOST = 1e18  # an exabyte; what is more has no place in the record

_AMOUNT = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]+)\s*")
_GPUS = re.compile(r"([A-Za-z][\w.-]*)(?::([1-9][0-9]{0,8}))?")
_CLOCK = re.compile(r"([0-9]{1,9}):([0-5][0-9]):([0-5][0-9])")


def seconds(written: Any) -> float:
    """Read a duration: a number of seconds, "90s", "10min", "2h", "1d" or "HH:MM:SS"."""
    remedy = 'write seconds or text such as "90s", "10min", "2h" or "1d"'
    if isinstance(written, str) and (clock := _CLOCK.fullmatch(written)):
        hours, minutes, rest = map(int, clock.groups())
        return float(hours * 3600 + minutes * 60 + rest)
    amount = _amount(written, SECONDS, "a duration", remedy)
    if amount > LONGEST_S:
        raise ValueError(f"{written!r} is longer than 30 years; {remedy}")
    return amount


def size(written: Any) -> int:
    """Read a size: a number of bytes, "500MB", "2GB" or "1GiB"."""
    return round(_amount(written, BYTES, "a size", 'write bytes or text such as "500MB", "2GB" or "1GiB"'))


def gpus(written: Any) -> tuple[int, str | None]:
    """Read GPUs: a number, a type, or a type and a number such as "a100:2"; return number and type."""
    if isinstance(written, int) and not isinstance(written, bool) and 0 <= written < MOST:
        return written, None
    found = _GPUS.fullmatch(written) if isinstance(written, str) else None
    if not found:
        raise ValueError(
            f'{written!r} is not a number or type of GPUs; write a number (2), a type ("a100") or both ("a100:2")'
        )
    return int(found[2] or 1), found[1]


def _amount(written: Any, units: dict[str, Any], what: str, remedy: str) -> float:
    if isinstance(written, (int, float)) and not isinstance(written, bool) and 0 <= written < MOST:
        return float(written)
    found = _AMOUNT.fullmatch(written) if isinstance(written, str) else None
    amount = float(found[1]) * units[found[2]] if found and found[2] in units else MOST
    if amount >= MOST:
        raise ValueError(f"{written!r} is not {what}; {remedy}")
    return amount

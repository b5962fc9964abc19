"""How names, times, sizes and logs are shown to people: short, and safe for a terminal."""

from __future__ import annotations

import json
import re
import shlex
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from penstock.errors import Corrupt
from penstock.runner.errors import UNWELL, say_error
from penstock.runner.sealed import unseal

CAMPAIGN = "campaign"

_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_SHORT = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}
_ANSI = re.compile("\x1b(?:\\[[0-?]*[ -/]*[@-~]|\\][^\x07\x1b]*(?:\x07|\x1b\\\\)|[@-Z\\\\-_])")
_LOG_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def count(number: int, noun: str) -> str:
    """Return a number with its noun.

    >>> count(1, "task"), count(2, "failed task")
    ('1 task', '2 failed tasks')
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def them(number: int) -> str:
    """Return the pronoun for so many things: `it` or `them`."""
    return "it" if number == 1 else "them"


def visible(text: str) -> str:
    r"""Make control characters, bidirectional marks and broken UTF-8 visible: none reaches the terminal.

    >>> visible("a\x1b[31m\n")
    'a\\x1b[31m\\n'
    """
    return _UNSAFE.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    char = match.group()
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that os.fsdecode could not read
        return f"\\x{code - 0xDC00:02x}"
    return _SHORT.get(char) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")


def show_refusal(error: OSError) -> str:
    """Describe what the system refused, and where.

    >>> show_refusal(OSError(28, "No space left on device", "winter/penstock.toml"))
    'winter/penstock.toml: no space is left'
    """
    place = f"{error.filename}: " if error.filename else ""
    return place + (UNWELL.get(error.errno or 0) or say_error(error))


def is_utf8(name: str) -> bool:
    r"""Whether the name of a file, as Python gives it, is UTF-8: others stand in no table, address or document.

    >>> is_utf8("Süd"), is_utf8("S\udcfcd")
    (True, False)
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def cut(text: str, most: int) -> str:
    """Return a text for people, which says how much of it is left out.

    >>> cut("abcdefgh", 3)
    'abc… (5 more)'
    """
    shown = text[:most]
    return visible(shown) + (f"… ({len(text) - most:,} more)" if len(text) > most else "")


class InNotebooks(ABC):
    """What notebooks show in a way of its own."""

    __slots__ = ()

    @abstractmethod
    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        """Return what notebooks show: plain text and HTML, by their types."""

    def _repr_html_(self) -> str:
        """Return the HTML alone, for those who ask for nothing else."""
        return self._repr_mimebundle_()["text/html"]


def html_table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table as notebooks show it: some have no styles of their own."""
    from html import escape

    style = ' style="padding:.1em .6em;text-align:left"'
    head = "".join(f"<th{style}>{escape(visible(name))}</th>" for name in heads)
    lines = ("".join(f"<td{style}>{escape(visible(one))}</td>" for one in row) for row in rows)
    return f'<table style="border:0"><tr>{head}</tr>{"".join(f"<tr>{line}</tr>" for line in lines)}</table>'


def clean_log(raw: bytes) -> str:
    """Return a log as text with colours and control characters taken out; a carriage return starts a line."""
    text = _ANSI.sub("", raw.decode("utf-8", "backslashreplace"))
    return _LOG_UNSAFE.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def show_duration(seconds: float) -> str:
    """Write a duration: `0.35 s`, `12 s`, `4 min`, `2 h 05`, `3 d 4 h`."""
    if seconds < 10:
        return f"{seconds:.2g} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{seconds / 60:.0f} min"
    minutes = round(seconds / 60)
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60:02d}"
    return f"{minutes // 1440} d {minutes % 1440 // 60} h"


def show_bytes(size: float) -> str:
    """Write a size: `850 B`, `12 kB`, `1.5 GB` (steps of 1000)."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if size < 999.5 or unit == "TB":
            return f"{size:.0f} {unit}" if unit == "B" or size >= 9.95 else f"{size:.1f} {unit}"
        size /= 1000
    raise AssertionError


def show_time(at: float, *, now: float) -> str:
    """Write a time, in UTC: `10:02:33` today, else `2026-11-22 10:02:33`."""
    then = datetime.fromtimestamp(at, UTC)
    today = datetime.fromtimestamp(now, UTC).date()
    return f"{then:%H:%M:%S}" if then.date() == today else f"{then:%Y-%m-%d %H:%M:%S}"


def show_process(native: str) -> str:
    """Name a runner of this machine by the pid in its native id.

    >>> show_process("7277.1352444.aeb244d7.pid:[4026531836]")
    'process 7277'
    """
    return f"process {native.partition('.')[0]}"


def show_command(command: str, label: str, stage: str | None = None) -> str:
    """Return the line a person can paste: `penstock log --stage psd '2020 a'`."""
    option = f" --stage {shlex.quote(stage)}" if stage else ""
    dashes = " --" if label.startswith("-") else ""
    return visible(f"penstock {command}{option}{dashes} {shlex.quote(label)}")


@dataclass(frozen=True, slots=True)
class Labels:
    """Prints keys by the frozen definition: `["2020-01-17",1807]` is `2020-01-17/01807`."""

    levels: tuple[str, ...] = ()
    formats: Mapping[str, str] = field(default_factory=dict[str, str])
    types: Mapping[str, str] = field(default_factory=dict[str, str])
    root: str = CAMPAIGN  # how the campaign itself is called

    @classmethod
    def read(cls, db: sqlite3.Connection) -> Labels:
        """Read them from the ledger's newest definition."""
        row = db.execute(
            "SELECT text FROM definition WHERE id = (SELECT value FROM meta WHERE name = 'definition')"
        ).fetchone()
        frozen = unseal(row[0].encode()) if row else {}
        if frozen is None:
            raise Corrupt(
                "the definition's copy in the record is damaged: the next `penstock run` writes it again"
            )
        taken = db.execute("""SELECT 1 FROM unit WHERE level = 1 AND key = '["campaign"]'""").fetchone()
        return cls(
            tuple(frozen.get("levels", ())),
            frozen.get("formats") or {},
            frozen.get("types") or {},
            "/" if taken else CAMPAIGN,  # which no unit can be called
        )

    def level(self, number: int) -> str:
        """Return the name of a level; 0 is the campaign."""
        return CAMPAIGN if number == 0 else self.levels[number - 1]

    def writer(self, level: int) -> Callable[[Any], str]:
        """Return what prints the values of a level: quicker than `label` where there are many."""
        from penstock.units.formats import format_of
        from penstock.units.values import escape

        write = format_of(self.formats.get(self.levels[level - 1], "")).write
        return lambda value: escape(write(value))

    def label(self, key: str) -> str:
        """Return the printed form of a unit's stored key."""
        if key == "[]":
            return self.root
        from penstock.units.keys import show_key

        return show_key(json.loads(key), self.levels, self.formats)

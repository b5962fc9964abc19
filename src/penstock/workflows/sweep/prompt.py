"""Questions to a person at a terminal: each is asked again until its answer will do."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import TypeVar

import click

from penstock.errors import DefinitionError

T = TypeVar("T")


class Left(Exception):
    """A question was left without an answer: by Ctrl-C, Ctrl-D, or a terminal that is gone."""


def ask(question: str, read: Callable[[str], T], *, default: str | None = None) -> T:
    """Ask until `read` takes the answer; what it says of one that it refuses is shown. Raises Left.

    `default` is what an empty answer means, and is shown.
    """
    shown = f"{question} [{default}]: " if default else f"{question}: "
    while True:
        text = read_line(shown).strip() or default or ""
        try:
            return read(text)
        except (ValueError, DefinitionError) as error:
            click.echo(f"  {error.message if isinstance(error, DefinitionError) else error}")


def read_line(question: str) -> str:
    """Read a line, which a person may edit. Raises Left."""
    import_module("readline")  # the arrow keys, for `input`
    try:
        return input(question)
    except (KeyboardInterrupt, EOFError):
        click.echo()
        raise Left from None


def choose(
    question: str,
    options: Mapping[str, str],
    *,
    default: str | None = None,
    also: Mapping[str, str] | None = None,
) -> str:
    """Show what there is to choose, a line each, and ask for one by its key, or by a word that means one. Raises Left."""
    for key, told in options.items():
        click.echo(f"  {key:<2} {told}")
    words = {**(also or {}), **{key: key for key in options}}
    return ask(question, lambda text: one_of(words.get(text, text), list(options)), default=default)


def one_of(text: str, known: Sequence[str]) -> str:
    """Return an answer that is one of these. Raises ValueError."""
    if text not in known:
        raise ValueError(f"{text!r} is none of {', '.join(known)}" if text else f"type {list_or(known)}")
    return text


def list_or(words: Sequence[str]) -> str:
    """Write a list of alternatives: `a, b or c`."""
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def split_words(text: str) -> list[str]:
    """Split an answer at its commas; what has a comma of its own stands between quotes.

    >>> split_words('ice, "a, b",1E-07')
    ['ice', 'a, b', '1E-07']
    """
    return [word.strip() for word in next(csv.reader([text], skipinitialspace=True), [""])]


def confirm(question: str, *, default: bool = True) -> bool:
    """Ask for yes or no. Raises Left."""
    answers = {"y": True, "yes": True, "n": False, "no": False}
    known = list(answers)
    return answers[ask(f"{question} (y/n)", lambda text: one_of(text.lower(), known), default="ny"[default])]


def in_columns(rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> list[str]:
    """Set rows of texts in columns, those of `right` to the right.

    >>> in_columns([["a", "1"], ["bcd", "20"]], right=[1])
    ['a     1', 'bcd  20']
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if number in right else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]

"""A sweep that is being written: what `sweep.toml` has, table by table, each value as it was typed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from penstock.errors import DefinitionError
from penstock.workflows.setup.definition import key, toml
from penstock.workflows.sweep.keys import read_table
from penstock.workflows.sweep.sweep import FILE, HINT
from penstock.workflows.sweep.value import Typed
from penstock.workflows.sweep.variable import NUMERIC, Variable

DRAFT = "sweep.draft.toml"
TABLES = ("sweep", "vary", "set", "derive")
_BARE = re.compile(r"[+-]?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?").fullmatch
_TEXT = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'[^']*'")


@dataclass(slots=True)
class Draft:
    """The tables of a sweep: `head` is `[sweep]`."""

    head: dict[str, object] = field(default_factory=dict[str, object])
    vary: dict[str, object] = field(default_factory=dict[str, object])
    fixed: dict[str, object] = field(default_factory=dict[str, object])
    derive: dict[str, object] = field(default_factory=dict[str, object])

    @property
    def mode(self) -> str:
        """How what varies is combined."""
        return str(self.head.get("mode", "grid"))

    def forget(self, name: str) -> None:
        """Leave a variable as its program has it."""
        for table in (self.vary, self.fixed, self.derive):
            table.pop(name, None)

    def to_text(self) -> str:
        """Write it as a person would."""
        tables = zip(TABLES, (self.head, self.vary, self.fixed, self.derive), strict=True)
        return "\n".join(_table(name, keys) for name, keys in tables if keys)


def _table(name: str, keys: Mapping[str, object]) -> str:
    return "".join([f"[{name}]\n", *(f"{key(word)} = {spell(value)}\n" for word, value in keys.items())])


def spell(value: object) -> str:
    """Write a value as TOML, numbers as they were typed.

    >>> spell({"start": Typed("1E-07"), "count": 3}), spell([Typed(".5"), "a"])
    ('{ start = 1E-07, count = 3 }', '[".5", "a"]')
    """
    match value:
        case Typed():
            return str(value) if _BARE(value) else toml(str(value))
        case Mapping():
            pairs = cast("Mapping[str, object]", value).items()
            return f"{{ {', '.join(f'{key(word)} = {spell(each)}' for word, each in pairs)} }}"
        case list():
            return f"[{', '.join(map(spell, cast('list[object]', value)))}]"
        case _:
            return toml(value)


def typed(variable: Variable, text: str) -> object:
    """Return what a person typed for a variable as its file has it. Raises ValueError if it cannot be its value."""
    value = variable.read(text)
    if variable.type == "bool":
        return bool(value.plain)
    return Typed(text) if variable.type in NUMERIC and text == value.text else text


def read_draft(file: Path) -> Draft:
    """Read a sweep to go on with. Raises DefinitionError."""
    top = read_table(file)
    head, vary, fixed, derive = (dict(top.table(name).items()) for name in TABLES)
    top.end()
    return Draft(head, vary, fixed, derive)


def find_draft(folder: Path) -> Draft | None:
    """Return the sweep that was begun in a folder, or that stands there; None if there is neither.

    Raises DefinitionError if it has comments, which would be lost.
    """
    if (folder / DRAFT).exists():
        return read_draft(folder / DRAFT)
    if not (folder / FILE).exists():
        return None
    text = (folder / FILE).read_text("utf-8").replace(f"# {HINT}", "")
    if "#" in _TEXT.sub("", text):
        raise DefinitionError(
            f"{folder / FILE} has comments, which would be lost here; edit the file, then `penstock sweep extend`"
        )
    return read_draft(folder / FILE)


def save_draft(folder: Path, draft: Draft) -> Path:
    """Write what there is so far, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{DRAFT}"
    temporary.write_text(draft.to_text(), encoding="utf-8")
    return temporary.replace(folder / DRAFT)


def settle_draft(folder: Path) -> Path:
    """Make the draft the sweep of its folder."""
    return (folder / DRAFT).replace(folder / FILE)


def describe(given: Any) -> str:
    """Write what was given for a variable in a few words.

    >>> describe([Typed("250"), Typed("300")]), describe({"start": 1, "stop": 9, "step": 2})
    ('250, 300', '1 to 9 by 2')
    """
    match given:
        case {"low": low, "high": high, **more}:
            return f"drawn from {low} to {high}{_scale(more)}"
        case {"start": start, "stop": stop, "step": step}:
            return f"{start} to {stop} by {step}"
        case {"start": start, "stop": stop, "count": count, **more}:
            return f"{count} from {start} to {stop}{_scale(more)}"
        case list():
            texts = [toml(each) if isinstance(each, bool) else str(each) for each in cast("list[Any]", given)]
            return ", ".join(texts) if len(texts) <= 6 else f"{', '.join(texts[:5])}, … ({len(texts)})"
        case bool():
            return toml(given)
        case _:
            return str(given)


def _scale(more: Mapping[str, Any]) -> str:
    return ", log-spaced" if more.get("scale") == "log" else ""

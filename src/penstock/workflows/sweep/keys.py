"""A table of a TOML file that people write: every key is taken once, and what is left over is unknown."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

from penstock.config.places import Places, find_lines, nearest
from penstock.errors import DefinitionError
from penstock.workflows.sweep.value import Typed

T = TypeVar("T")

NOUNS: dict[type, str] = {
    str: "text",
    int: "a whole number",
    bool: "true or false",
    list: "a list",
    dict: "a table",
}


@dataclass(slots=True)
class Table:
    """A table and where it stands; `path` are the keys that lead to it."""

    values: dict[str, Any]
    places: Places
    path: tuple[str, ...] = ()
    known: list[str] = field(default_factory=list[str])

    @property
    def file(self) -> Path:
        """The file it is in."""
        return cast("Path", self.places.file)

    def error(self, key: str, message: str) -> DefinitionError:
        """Make the error about the value of a key."""
        return self.places.error((*self.path, key), message)

    def take(self, key: str, kind: type[T]) -> T | None:
        """Take a value; None if it is not there."""
        self.known.append(key)
        if key not in self.values:
            return None
        value = self.values.pop(key)
        if (
            not isinstance(value, kind)
            or isinstance(value, Typed)
            or (isinstance(value, bool) and kind is int)
        ):
            raise self.error(key, f"{key} is {NOUNS.get(kind, 'another')}, not {value!r}")
        return value

    def need(self, key: str, kind: type[T]) -> T:
        """Take a value that must be there."""
        value = self.take(key, kind)
        if value is None:
            table = ".".join(self.path)
            raise self.places.error(
                self.path, f"[{table}] has no {key}; add it" if table else f"there is no {key}"
            )
        return value

    def take_any(self, key: str) -> object:
        """Take a value of whatever kind; None if it is not there."""
        self.known.append(key)
        return self.values.pop(key, None)

    def texts(self, key: str) -> tuple[str, ...]:
        """Take a list of texts, or one text; empty if it is not there."""
        self.known.append(key)
        value = self.values.pop(key, [])
        items = cast("list[object]", value) if isinstance(value, list) else [value]
        if not all(isinstance(item, str) and not isinstance(item, Typed) for item in items):
            raise self.error(key, f"{key} is a list of texts, not {value!r}")
        return tuple(map(str, items))

    def table(self, key: str) -> Table:
        """Take a table; an empty one if it is not there."""
        return Table(
            dict(self.take(key, cast("type[dict[str, Any]]", dict)) or {}), self.places, (*self.path, key)
        )

    def tables(self, key: str) -> Iterator[tuple[str, Table]]:
        """Take the tables of a table, by name."""
        outer = self.table(key)
        for name in list(outer.values):
            yield name, outer.table(name)

    def items(self) -> Iterator[tuple[str, object]]:
        """Take all that is left."""
        while self.values:
            name = next(iter(self.values))
            yield name, self.values.pop(name)

    def end(self) -> None:
        """Refuse what nobody took."""
        for key in self.values:
            raise self.error(key, f"{key!r} is unknown; {nearest(key, self.known)}")


def read_table(file: Path) -> Table:
    """Read a TOML file; floats stay as they were typed. Raises DefinitionError."""
    try:
        text = file.read_text(encoding="utf-8")
        values: Mapping[str, Any] = tomllib.loads(text, parse_float=Typed)
    except FileNotFoundError:
        raise DefinitionError(f"{file} does not exist; write it, or name another") from None
    except UnicodeDecodeError:
        raise DefinitionError("the file is not UTF-8; save it as UTF-8", file=file) from None
    except OSError as error:
        raise DefinitionError(f"the file cannot be read: {error.strerror}", file=file) from None
    except (
        ValueError,
        RecursionError,
    ) as error:  # whole numbers of thousands of digits are no TOMLDecodeError
        place = re.search(r" \(at line ([0-9]+), .*\)", str(error))
        message = f"this is not TOML: {str(error).split(' (at ')[0].lower()}"
        raise DefinitionError(message, file=file, line=int(place[1]) if place else None) from None
    return Table(dict(values), Places(file, find_lines(text)))


def listed(value: object) -> list[object]:
    """Return a list as it is, and one thing as a list of it."""
    return cast("list[object]", value) if isinstance(value, list) else [value]

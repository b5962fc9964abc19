"""What changed in a definition since a task was made, by the frozen copies."""

from __future__ import annotations

import json
import shlex
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from penstock.functions import InFile, find_function
from penstock.ledger.stored import read_copy
from penstock.ledger.units import MOST_SHOWN, show_value

Copy = Mapping[str, Any]

#: what the parts of a frozen stage are called that its digest has
PARTS = {
    "command": "the command", "python": "the function", "setup": "the set-up", "shell": "`shell`", "where": "`where`",
    "after": "`after`", "follows": "`with`", "expands": "`expands`", "members": "`members`", "version": "the version",
    "container": "the container",
    "ok_codes": "`ok_codes`", "success_log": "`success`",
}  # fmt: skip
#: those that are tables, and what one entry is called
TABLES = {
    "params": "the parameter",
    "environment": "the variable",
    "templates": "the template",
    "products": "the product",
}
AROUND = 12  # characters before the place where long texts differ


@dataclass(frozen=True, slots=True)
class Changed:
    """One thing that changed; `old` and `new` are plain data, None where there is nothing to show."""

    what: str
    old: Any = None
    new: Any = None

    def __str__(self) -> str:
        if self.old is self.new is None:
            return f"{self.what} changed"
        if self.old is None or self.new is None:
            change, value = ("is new", self.new) if self.old is None else ("was removed", self.old)
            return f"{self.what} {change}" + ("" if is_digest(value) else f": {show_value(show(value))}")
        if is_digest(self.new):
            return f"{self.what} changed"
        return f"{self.what}: {' → '.join(narrowed(show(self.old), show(self.new)))}"


def is_digest(value: Any) -> bool:
    """Whether a value only tells contents apart."""
    return isinstance(value, dict) and "digest" in value


def show(value: Any) -> str:
    """Write a value as a person reads it, a command as a line."""
    if isinstance(value, list) and all(isinstance(one, str) for one in cast("list[Any]", value)):
        return " ".join(one if one.split() == [one] else shlex.quote(one) for one in cast("list[str]", value))
    if isinstance(value, dict) and "bytes" in value:
        files = cast("Copy", value)
        return f"{files['bytes']} bytes of {files['modified']}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def narrowed(old: str, new: str) -> tuple[str, str]:
    """Cut long texts to where they differ."""
    pairs = enumerate(zip(old, new, strict=False))
    differ = next((n for n, (a, b) in pairs if a != b), min(len(old), len(new)))
    start = differ - AROUND
    if start <= AROUND or max(len(old), len(new)) <= MOST_SHOWN:
        return show_value(old), show_value(new)
    return f"…{show_value(old[start:])}", f"…{show_value(new[start:])}"


@dataclass(frozen=True, slots=True)
class Setting:
    """A `--set` that a task was made with, and what stands in its place in the present definition."""

    set: str
    now: Any = None

    def __str__(self) -> str:
        now = "nothing of it" if self.now is None else show_value(show(self.now))
        return f"made with --set {self.set}; the definition now says {now}"


@dataclass(frozen=True, slots=True)
class Redefinition:
    """How the definition of a stage changed since a task was made, and each `--set` of then that is gone."""

    changed: tuple[Changed, ...] = ()
    made_with: tuple[Setting, ...] = ()

    def __str__(self) -> str:
        return "; ".join(map(str, (*self.changed, *self.made_with))) or "the definition changed"


def redefinition(db: sqlite3.Connection, name: str, made: str | None) -> Redefinition:
    """Compare the present definition of a stage with the one that has the digest `made`; empty where no copy has it."""
    now = db.execute("SELECT digest, definition FROM stage WHERE name = ?", (name,)).fetchone()
    if now[0] == made:
        return Redefinition()
    copies = (read_copy(row[0]) for row in db.execute("SELECT text FROM definition ORDER BY id DESC"))
    stages = ((copy, stage) for copy in copies for stage in copy["stages"])
    found = ((copy, stage) for copy, stage in stages if (stage["name"], stage["digest"]) == (name, made))
    if (before := next(found, None)) is None:
        return Redefinition()
    present, stage = present_overrides(db), json.loads(now[1])
    gone = [text for text in before[0]["overrides"] if text not in present and concerns(text, name)]
    settings = tuple(Setting(text, said_now(text, stage)) for text in gone)
    return Redefinition(tuple(differences(before[1], stage)), settings)


def present_overrides(db: sqlite3.Connection) -> list[str]:
    """Return the `--set` of the present definition."""
    row = db.execute(
        "SELECT text FROM definition WHERE id = (SELECT value FROM meta WHERE name = 'definition')"
    ).fetchone()
    return read_copy(row[0])["overrides"] if row else []


def concerns(override: str, stage: str) -> bool:
    """Whether a `--set` is of what the digest of a stage has, its own or what stages share."""
    path = override.partition("=")[0].split(".")
    return path[0] == "params" or (
        path[:2] == ["stage", stage] and path[2] in (*PARTS, *TABLES, "with", "success")
    )


def said_now(override: str, stage: Copy) -> Any:
    """Return what stands in the present definition where a `--set` was."""
    place: Any = stage
    path = override.partition("=")[0].split(".")
    for name in path[2:] if path[0] == "stage" else path:
        place = cast("Copy", place).get(name) if isinstance(place, dict) else None
    return place


def differences(old: Copy, new: Copy) -> Iterator[Changed]:
    """Yield what differs between two frozen copies of a stage, of all that its digest has."""
    for key, what in PARTS.items():
        if old.get(key) != new.get(key):
            yield Changed(what, old.get(key), new.get(key))
    for key, what in TABLES.items():
        for name, was, now in differing(table(old.get(key)), table(new.get(key))):
            yield Changed(f"{what} {name}", was, now)
    for what, was, now in differing(builds_of(old), builds_of(new)):
        yield Changed(what, was, now)
    for file, was, now in differing(sources_of(old), sources_of(new)):
        yield Changed(f"{file}, which its program is built from,", digest_part(was), digest_part(now))
    for file, was, now in differing(old.get("code", new["code"]), new["code"]):
        yield Changed(role_of(file, new), digest_part(was), digest_part(now))


def differing(old: Copy, new: Copy) -> Iterator[tuple[str, Any, Any]]:
    """Yield what differs between two tables: its name, what it was and what it is."""
    for name in sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name)):
        yield name, old.get(name), new.get(name)


def builds_of(stage: Copy) -> dict[str, str]:
    """Return how the programs of a frozen stage are built."""
    programs = stage.get("programs", ())
    return {f"the build of {one['name']}": f"{one['build']} makes {one['executable']}" for one in programs}


def sources_of(stage: Copy) -> dict[str, str]:
    """Return what the programs of a frozen stage are built from, by file."""
    return {file: digest for one in stage.get("programs", ()) for file, digest in one["files"].items()}


def table(value: Any) -> Copy:
    """Return a table of a frozen stage by name; products are a list of such."""
    if isinstance(value, list):
        return {one["name"]: one["path"] if plain(one) else one for one in cast("list[Any]", value)}
    return value or {}


def plain(product: Copy) -> bool:
    """Whether a product is nothing but its path."""
    more = {key: value for key, value in product.items() if key not in ("name", "path") and value}
    return more in ({}, {"fetch": True})


def digest_part(digest: str | None) -> dict[str, str] | None:
    """Return a digest as data that says what it is."""
    return {"digest": digest} if digest else None


def role_of(file: str, stage: Copy) -> str:
    """Say what a file of the campaign is for a stage."""
    functions = [find_function(one, [file]) for one in (stage["python"], stage["setup"]) if one]
    for function in functions:
        if isinstance(function, InFile):
            return f"the function {function.name} ({file})"
    if file in stage["templates"].values():
        return f"the template {file}"
    if functions:
        return f"{file}, which the function {functions[0].name} uses,"
    return f"{file}, which the command uses,"

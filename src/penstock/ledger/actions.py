"""What people asked for, in a file of its own beside the record: a sealed line for each request."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from penstock.disk import append, read_whole
from penstock.errors import LedgerError
from penstock.ledger import FOLDER
from penstock.runner.files import read_from
from penstock.runner.sealed import seal, unseal

Target = dict[str, Any]

ACTIONS = "actions.jsonl"


class Action(NamedTuple):
    """A request, with the keys of its units: their numbers are the record's alone."""

    at: float
    by: str
    action: str
    target: Target
    keys: Mapping[str, str] = {}


def keys_of(db: sqlite3.Connection, target: Target) -> dict[str, str]:
    """Return the keys of the units that a request is about, by their numbers."""
    rows = db.execute(
        "SELECT u.id, u.key FROM json_each(?) j JOIN unit u ON u.id = j.value",
        (json.dumps(numbers_in(target)),),
    )
    return {str(row[0]): row[1] for row in rows}


def numbers_in(target: Target) -> list[int]:
    """Return the numbers of the units that a request is about."""
    one = target.get("unit")
    return [*([] if one is None else [one]), *target.get("units", ())]


def note_action(root: Path, action: Action) -> bytes:
    """Add a request to the file, and return the line."""
    line = seal(json.dumps(action._asdict(), ensure_ascii=False).encode())
    path = root / FOLDER / ACTIONS
    try:
        append(path, line + b"\n")
    except OSError as error:
        raise LedgerError(
            f"{path} cannot be written ({error.strerror}), so nothing was requested: fix that and ask again"
        ) from error
    return line


def read_actions(root: Path) -> tuple[list[Action], list[int]]:
    """Return all requests, and the numbers of the lines that are damaged."""
    return parse_actions((read_whole(root / FOLDER / ACTIONS) or b"").splitlines())


def actions_after(root: Path, offset: int) -> tuple[list[Action], int]:
    """Return the requests after so many bytes, and where their last line ends; all of a file that is shorter."""
    path = root / FOLDER / ACTIONS
    size = path.stat().st_size if path.is_file() else 0
    begin = offset if offset <= size else 0
    whole, newline, _ = (read_from(str(path), begin, size - begin) or b"").rpartition(b"\n")
    return parse_actions(whole.splitlines())[0], begin + len(whole + newline)


def parse_actions(lines: Iterable[bytes]) -> tuple[list[Action], list[int]]:
    """Return the requests of lines, and the numbers of those that are damaged."""
    found, damaged = list[Action](), list[int]()
    for number, line in enumerate(lines, 1):
        asked = unseal(line) or {}
        try:
            found.append(
                Action(asked["at"], asked["by"], asked["action"], asked["target"], asked.get("keys", {}))
            )
        except KeyError:
            damaged.append(number)
    return found, damaged


def target_now(db: sqlite3.Connection, action: Action) -> tuple[Target, list[str]]:
    """Return the target of a request with the numbers that its units have in this record, and the units that it lacks.

    Of a request by an older penstock nobody knows the keys: its numbers are taken where there is such a unit.
    """
    now, lacks = dict[int, int](), list[str]()
    for number in numbers_in(action.target):
        key = action.keys.get(str(number))
        sql, value = ("key = ? AND level = json_array_length(key)", key) if key else ("id = ?", number)
        row = db.execute(f"SELECT id FROM unit WHERE {sql}", (value,)).fetchone()
        if row:
            now[number] = row[0]
        else:
            lacks.append(key or f"number {number}")
    target = dict(action.target)
    if target.get("unit") is not None:
        target["unit"] = now.get(target["unit"])
    if "units" in target:
        target["units"] = [now[number] for number in target["units"] if number in now]
    return target, lacks

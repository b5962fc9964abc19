"""`--set stage.spectrogram.params.window=2048`: values laid over a definition."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Sequence
from typing import Any, cast

from penstock.config.places import Keys, nearest
from penstock.errors import DefinitionError


def apply_overrides(
    tables: dict[str, Any], overrides: Sequence[str]
) -> tuple[dict[str, Any], dict[Keys, str]]:
    """Return a copy of `tables` with `overrides`, and which keys each gave."""
    changed = copy.deepcopy(tables) if overrides else tables
    given: dict[Keys, str] = {}
    for text in overrides:
        path, found, value = text.partition("=")
        keys = tuple(key.strip() for key in path.split("."))
        if not found or not all(keys) or len(keys) < 2:
            raise DefinitionError(
                f"--set {text}: is not of the form stage.NAME.KEY=VALUE or params.NAME=VALUE"
            )
        _set(changed, keys, _read(value.strip()), text)
        given[keys] = text
    return changed, given


def _read(text: str) -> Any:
    """Read a TOML value; a bare word is text."""
    try:
        return tomllib.loads(f"value = {text}")["value"] if "\n" not in text else text
    except (tomllib.TOMLDecodeError, KeyError):
        return text


def _set(tables: dict[str, Any], keys: Keys, value: Any, text: str) -> None:
    table = tables
    for depth, key in enumerate(keys[:-1]):
        if _must_exist(keys[: depth + 1]) and key not in table:
            where = ".".join(keys[:depth]) or "the definition"
            raise DefinitionError(f"--set {text}: {where} has no {key!r}; {nearest(key, sorted(table))}")
        below: Any = table.setdefault(key, {})
        if not isinstance(below, dict):
            raise DefinitionError(f"--set {text}: {'.'.join(keys[: depth + 1])} is one value, without keys")
        table = cast("dict[str, Any]", below)
    if "params" in keys[:-1] and keys[-1] not in (known := _params(tables, keys)):
        remedy = nearest(keys[-1], sorted(known))
        raise DefinitionError(f"--set {text}: there is no parameter {keys[-1]!r}; {remedy}")
    table[keys[-1]] = value


def _must_exist(keys: Keys) -> bool:
    """Names that people gave must exist; a table that was merely not needed is added."""
    is_named = len(keys) == 2 and keys[0] in ("stage", "site") and keys != ("site", "local")
    return is_named or "params" in keys[:-1]


def _params(tables: dict[str, Any], keys: Keys) -> dict[str, Any]:
    """Gather the parameters that an override at `keys` may name: its own and the shared ones."""
    own: Any = tables
    for key in keys[:-1]:
        own = own.get(key, {})
    shared: dict[str, Any] = tables.get("params", {}) if keys[-2] == "params" else {}
    return {**shared, **own}

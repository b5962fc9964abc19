"""From raw tables to the models; pydantic's errors become one plain sentence at the right line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from penstock.config.models import Definition, SourceTable, UnitsTable
from penstock.config.places import Keys, Places, nearest
from penstock.errors import DefinitionError
from penstock.units import FAN

WANTED = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "float_type": "a number",
    "string_type": "text",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
}
RESERVED = frozenset(
    (
        "campaign",
        "cpus",
        FAN,
        "inputs",
        "inputs_file",
        "outdir",
        "param",
        "path",
        "paths",
        "product",
        "python",
        "scratch",
        "size",
    )
)
PATTERNS = "letters, digits and _, beginning with a letter"


def shaped(tables: Mapping[str, Any], places: Places) -> Definition:
    """Check the shape of `tables`; DefinitionError for the first thing that is wrong."""
    try:
        definition = Definition.model_validate(tables)
    except ValidationError as wrong:
        raise _first(wrong.errors(include_url=False), tables, places) from None
    _check_levels(definition, places)
    return definition


def _first(errors: list[ErrorDetails], tables: Mapping[str, Any], places: Places) -> DefinitionError:
    # An unknown key explains the rest (a missing one, most often).
    errors.sort(key=lambda error: error["type"] != "extra_forbidden")
    error = errors[0]
    keys = _written_keys(error["loc"])
    if error["type"] == "extra_forbidden":
        return _unknown(keys, places)
    level_names: Any = tables.get("campaign", {}).get("levels", [])
    if (
        keys[0] == "units"
        and len(keys) == 2
        and keys[1] not in SourceTable.model_fields
        and keys[1] not in level_names
    ):
        return _unknown(keys, places)
    return places.error(keys, _sentence(error, keys))


def _written_keys(loc: tuple[int | str, ...]) -> Keys:
    return tuple(str(part) for part in loc if not isinstance(part, int) and part != "[key]")


def _unknown(keys: Keys, places: Places) -> DefinitionError:
    table = ".".join(keys[:-1])
    where = f"[{table}]" if table else "the definition"
    *_, key = keys
    return places.error(keys, f"{where} has no key {key!r}; {nearest(key, known_keys(keys[:-1]))}")


def known_keys(table: Keys) -> list[str]:
    """List the keys that the table at `table` may have."""
    model: Any = Definition
    for key in table:
        if model is UnitsTable and key not in UnitsTable.model_fields:
            model = SourceTable
            continue
        found = _model_in(_field(model, key).annotation) if _field(model, key) else None
        model = found or model
    return [field.alias or name for name, field in model.model_fields.items()]


def _field(model: type[BaseModel], key: str) -> Any:
    return next((field for name, field in model.model_fields.items() if key in (name, field.alias)), None)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in get_args(annotation):
        if found := _model_in(inner):
            return found
    return None


def _sentence(error: ErrorDetails, keys: Keys) -> str:
    name, kind, context = ".".join(keys), error["type"], error.get("ctx", {})
    given = _shorten(error["input"])
    if kind == "missing":
        *table, key = keys
        where = f"[{'.'.join(table)}]" if table else "the definition"
        return f"{where} lacks the key {key!r}; add it"
    if kind == "value_error":
        return f"{name}: {context['error']}"
    if kind == "literal_error":
        return f"{name} is {given}; it must be one of {context['expected']}"
    if kind == "string_pattern_mismatch":
        return f"{name} is {given}; it must be {_pattern_in_words(context['pattern'])}"
    if kind in WANTED:
        return f"{name} is {given}; it must be {WANTED[kind]}"
    return f"{name} is {given}, which is not valid: {error['msg'][0].lower()}{error['msg'][1:]}"


def _pattern_in_words(pattern: str) -> str:
    if ":" in pattern:
        return "a Python function written as package.module:function"
    return "a name of letters, digits, dots, dashes and _" if "." in pattern else f"a name of {PATTERNS}"


def _shorten(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _check_levels(definition: Definition, places: Places) -> None:
    levels = definition.campaign.levels
    if len({*levels}) != len(levels):
        twice = next(level for level in levels if levels.count(level) > 1)
        raise places.error(
            ("campaign", "levels"), f"the level {twice!r} is named twice; levels have different names"
        )
    for level in levels:
        if level in RESERVED:
            message = f"{level!r} means something else in placeholders and cannot be a level; rename it"
            raise places.error(("campaign", "levels"), message)
    for level in definition.units.__pydantic_extra__ or {}:
        if level not in levels:
            known = [*UnitsTable.model_fields, *levels]
            raise places.error(
                ("units", level), f"[units] has no key or level {level!r}; {nearest(level, known)}"
            )
    for level in definition.units.complete:
        if level not in ("campaign", *levels):
            raise places.error(
                ("units", "complete", level), f"there is no level {level!r}; {nearest(level, levels)}"
            )

"""Keys and fields as Python values."""

import re
from datetime import datetime, timedelta, timezone
from typing import Any, Dict, List, cast

from .spec import Stage

ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)"
    r"(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)?"
    r"\s*(?:(Z)|([+-])(\d\d):?(\d\d))?$"
)


def parse_time(text: str) -> datetime:
    """Read an ISO time, UTC when it names no zone.

    >>> parse_time("2020-01-17T03:04:05Z").isoformat()
    '2020-01-17T03:04:05+00:00'
    """
    found = ISO.match(text)
    if not found:
        raise ValueError("{!r} is not an ISO time".format(text))
    year, month, day, hour, minute, second, fraction, _, sign, hours, minutes = found.groups()
    zone = timezone.utc
    if sign:
        shift = timedelta(hours=int(hours), minutes=int(minutes))
        zone = timezone(-shift if sign == "-" else shift)
    micro = int((fraction or "0")[:6].ljust(6, "0"))
    clock = (int(hour or 0), int(minute or 0), int(second or 0), micro)
    return datetime(int(year), int(month), int(day), *clock, tzinfo=zone)


def typed_fields(stage: Stage, fields: Dict[str, Any]) -> Dict[str, Any]:
    if not stage.types:
        return fields
    return {name: typed(stage.types.get(name), value) for name, value in fields.items()}


def typed_key(stage: Stage, key: List[Any], fields: Dict[str, Any]) -> List[Any]:
    """Convert key values by the names of their levels, or by a typed field of the same text."""
    if not stage.types:
        return key
    if stage.levels:
        return [typed(stage.types.get(name), value) for name, value in zip(stage.levels, key)]
    texts = {fields[name]: kind for name, kind in stage.types.items() if isinstance(fields.get(name), str)}
    return [typed(texts.get(value), value) for value in key]


def typed(kind: Any, value: Any) -> Any:
    if kind != "datetime":
        return value
    if isinstance(value, list):
        return [typed(kind, item) for item in cast("List[Any]", value)]
    return parse_time(value) if isinstance(value, str) else value


def named_values(stage: Stage, task: Dict[str, Any]) -> Dict[str, Any]:
    """Return what a template may name: params, also as `param.NAME`, fields, and the key by level."""
    fields: Dict[str, Any] = task.get("fields") or {}
    values: Dict[str, Any] = {"param." + name: value for name, value in stage.params.items()}
    values.update(stage.params)
    values.update(typed_fields(stage, fields))
    values.update(zip(stage.levels, typed_key(stage, task.get("key") or [], fields)))
    return values

"""Keys as people see and type them: `2020-01-17/01807`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from penstock.errors import DefinitionError
from penstock.units.formats import format_of
from penstock.units.values import Value, escape, read_value, unescape

CAMPAIGN = "campaign"


def show_key(values: Sequence[Value], levels: Sequence[str], formats: Mapping[str, str]) -> str:
    """Print a key; that of the campaign itself is `campaign`.

    >>> show_key(("2020-01-17", 1807), ["night", "run"], {"run": "05d"})
    '2020-01-17/01807'
    """
    if not values:
        return CAMPAIGN
    return "/".join(
        [
            escape(format_of(formats.get(level, "")).write(value))
            for value, level in zip(values, levels, strict=False)
        ]
    )


def parse_key(
    text: str, levels: Sequence[str], types: Mapping[str, str], formats: Mapping[str, str] | None = None
) -> tuple[Value, ...]:
    """Read a printed key, whole or down to some level; DefinitionError if it cannot be one."""
    if text in ("", CAMPAIGN):
        return ()
    parts = text.split("/")
    if len(parts) > len(levels):
        raise DefinitionError(
            f"the key {text!r} has {len(parts)} parts; the campaign has the levels {', '.join(levels)}"
        )
    try:
        return tuple(
            _read_part(unescape(part), types.get(level, "str"), (formats or {}).get(level, ""))
            for part, level in zip(parts, levels, strict=False)
        )
    except ValueError as error:
        raise DefinitionError(f"the key {text!r} is not right: {error}") from None


def _read_part(text: str, type_name: str, spec: str) -> Value:
    if type_name == "datetime" and spec:
        return format_of(spec).read(text)
    return read_value(text, type_name)

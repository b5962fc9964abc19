"""Names of units: values, keys, templates, path patterns and expressions. No input or output."""

from penstock.units.expression import Expression
from penstock.units.keys import CAMPAIGN, parse_key, show_key
from penstock.units.matcher import Matched
from penstock.units.pattern import BadlyNamed, Pattern, Segment
from penstock.units.template import Placeholder, Template, unknown_name
from penstock.units.values import (
    FAN,
    Value,
    canonical,
    compact,
    escape,
    fan,
    from_iso,
    identities,
    iso,
    read_value,
    unescape,
)

__all__ = [
    "CAMPAIGN",
    "FAN",
    "BadlyNamed",
    "Expression",
    "Matched",
    "Pattern",
    "Placeholder",
    "Segment",
    "Template",
    "Value",
    "canonical",
    "compact",
    "escape",
    "fan",
    "from_iso",
    "identities",
    "iso",
    "parse_key",
    "read_value",
    "show_key",
    "unescape",
    "unknown_name",
]

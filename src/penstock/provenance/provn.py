"""W3C PROV-N (https://www.w3.org/TR/prov-n/): the same statements as in PROV-JSON, for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from penstock.provenance.model import Trace
from penstock.provenance.provjson import Document, document

ESCAPED = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"})
XSD = {bool: "boolean", int: "long", float: "double"}

#: relation → its arguments; `-` is one that is not said
ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    "used": ("prov:activity", "prov:entity", "-"),
    "wasGeneratedBy": ("prov:entity", "prov:activity", "-"),
    "wasAssociatedWith": ("prov:activity", "prov:agent", "prov:plan"),
    "wasAttributedTo": ("prov:entity", "prov:agent"),
}


def write_prov_n(trace: Trace) -> str:
    """Return the document; equal traces give equal text."""
    made = document(trace)
    prefixes = [f"  prefix {prefix} <{uri}>" for prefix, uri in made["prefix"].items()]
    return "\n".join(["document", *prefixes, "", *statements(made), "endDocument", ""])


def statements(made: Document) -> Iterator[str]:
    """Yield the statements in the order of PROV-JSON."""
    for kind in ("entity", "agent"):
        for name, attributes in made.get(kind, {}).items():
            yield f"  {kind}({name}{listed(attributes)})"
    for name, attributes in made.get("activity", {}).items():
        rest = dict(attributes)
        times = ", ".join(rest.pop(f"prov:{when}Time", "-") for when in ("start", "end"))
        yield f"  activity({name}, {times}{listed(rest)})"
    for relation, arguments in ARGUMENTS.items():
        for attributes in made.get(relation, {}).values():
            yield f"  {relation}({', '.join(attributes.get(each, '-') for each in arguments)})"


def listed(attributes: Mapping[str, Any]) -> str:
    """Return attributes as they stand at the end of a statement."""
    return f", [{', '.join(f'{name}={literal(value)}' for name, value in attributes.items())}]"


def literal(value: Any) -> str:
    """Return a value.

    >>> literal(3), literal({"$": "prov:Plan", "type": "prov:QUALIFIED_NAME"})
    ('"3" %% xsd:long', "'prov:Plan'")
    """
    if isinstance(value, dict):
        return f"'{value['$']}'"
    if isinstance(value, str):
        return f'"{value.translate(ESCAPED)}"'
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return f'"{text}" %% xsd:{XSD[type(value)]}'

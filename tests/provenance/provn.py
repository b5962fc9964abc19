"""A strict reader of what of PROV-N a document of ours may have, by its grammar (https://www.w3.org/TR/prov-n/)."""

import re
from collections.abc import Iterator

PN = r"(?:[A-Za-z0-9_/@~&+*?#$!]|%[0-9A-Fa-f]{2}|\\[=',():;\[\].-])"
LOCAL = rf"{PN}(?:(?:{PN}|[.-])*(?:{PN}|-))?"
NAME = rf"[A-Za-z][\w-]*:{LOCAL}"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
STRING = r'"(?:[^"\\\n\r]|\\["\\nrtbf\'])*"'
VALUE = rf"(?:{STRING}(?: %% xsd:\w+)?|'{NAME}')"
ATTRIBUTES = re.compile(rf"({NAME})=({VALUE})(?:, |$)")
STATEMENT = re.compile(
    rf"  (\w+)\(((?:{NAME}|{TIME}|-)(?:, (?:{NAME}|{TIME}|-))*)(?:, \[((?:{NAME}={VALUE}(?:, )?)*)\])?\)"
)
PREFIX = re.compile(r"  prefix (\w+) <([^<>\s]+)>")
ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}
KINDS = {"long": int, "double": float, "boolean": lambda text: {"true": True, "false": False}[text]}
ENDS = {
    "used": ("prov:activity", "prov:entity", None),
    "wasGeneratedBy": ("prov:entity", "prov:activity", None),
    "wasAssociatedWith": ("prov:activity", "prov:agent", "prov:plan"),
    "wasAttributedTo": ("prov:entity", "prov:agent"),
}


def parse(text: str) -> dict:
    """Return the document in the shape of PROV-JSON; ValueError for a line that is not in the grammar."""
    first, *lines, last, after = text.split("\n")
    if (first, last, after) != ("document", "endDocument", ""):
        raise ValueError("no document")
    found: dict = {"prefix": {}}
    for line in filter(None, lines):
        if prefix := PREFIX.fullmatch(line):
            found["prefix"][prefix[1]] = prefix[2]
        else:
            take_in(found, line)
    return found


def take_in(found: dict, line: str) -> None:
    statement = STATEMENT.fullmatch(line)
    if not statement:
        raise ValueError(f"no statement: {line}")
    kind, arguments, inside = statement[1], statement[2].split(", "), dict(attributes(statement[3] or ""))
    records = found.setdefault(kind, {})
    if kind in ENDS:
        pairs = zip(ENDS[kind], arguments, strict=True)
        records[f"_:{kind}{len(records) + 1}"] = {end: value for end, value in pairs if value != "-"}
    elif kind == "activity":
        name, start, end = arguments
        times = {"prov:startTime": start, "prov:endTime": end}
        records[name] = {**inside, **{key: time for key, time in times.items() if time != "-"}}
    else:
        (name,) = arguments
        records[name] = inside


def attributes(text: str) -> Iterator[tuple[str, object]]:
    for name, value in ATTRIBUTES.findall(text):
        yield name, read(value)


def read(value: str) -> object:
    if value.startswith("'"):
        return {"$": value[1:-1], "type": "prov:QUALIFIED_NAME"}
    quoted, _, kind = (
        value.rpartition(" %% xsd:") if " %% xsd:" in value[value.rindex('"') :] else (value, "", "")
    )
    text = re.sub(r"\\(.)", lambda found: ESCAPES.get(found[1], found[1]), quoted[1:-1])
    return KINDS[kind](text) if kind else text

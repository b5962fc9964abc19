"""W3C PROV-JSON (https://www.w3.org/submissions/prov-json/)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from penstock.provenance.model import Activity, Agent, Entity, Relation, Scalar, Trace
from penstock.provenance.names import TERMS, namespace, plain, timestamp

PREFIX = "c"  # of what is this campaign's own
ENDS: Mapping[Relation, tuple[str, str]] = {
    "used": ("prov:activity", "prov:entity"),
    "wasGeneratedBy": ("prov:entity", "prov:activity"),
    "wasAssociatedWith": ("prov:activity", "prov:agent"),
    "wasAttributedTo": ("prov:entity", "prov:agent"),
}
TYPES = {"collection": "prov:Collection", "plan": "prov:Plan"}
AGENTS = {"person": "prov:Person", "software": "prov:SoftwareAgent"}

Attributes = dict[str, Any]
Document = dict[str, dict[str, Any]]


def write_prov_json(trace: Trace) -> str:
    """Return the document; equal traces give equal text."""
    return json.dumps(document(trace), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def document(trace: Trace) -> Document:
    """Return the document as plain data, in a fixed order."""
    made: Document = {
        "prefix": {PREFIX: namespace(trace.campaign), "penstock": TERMS},
        "entity": {name(each.id): entity(each) for each in trace.entities},
        "activity": {name(each.id): activity(each) for each in trace.activities},
        "agent": {name(each.id): agent(each) for each in trace.agents},
    }
    for relation, ends in ENDS.items():
        made[relation] = dict(links(trace, relation, ends))
    return {kind: records for kind, records in made.items() if records}


def links(trace: Trace, relation: Relation, ends: tuple[str, str]) -> Iterator[tuple[str, Attributes]]:
    """Yield the records of one relation."""
    for number, link in enumerate(trace.of(relation), 1):
        attributes: Attributes = {ends[0]: name(link.subject), ends[1]: name(link.object)}
        if link.plan:
            attributes["prov:plan"] = name(link.plan)
        yield f"_:{relation}{number}", attributes


def name(local: str) -> str:
    """Return a qualified name."""
    return f"{PREFIX}:{local}"


def qualified(text: str) -> dict[str, str]:
    """Return a value that is a name."""
    return {"$": text, "type": "prov:QUALIFIED_NAME"}


def entity(each: Entity) -> Attributes:
    """Return the attributes of an entity."""
    said: Attributes = {"prov:label": plain(each.label)}
    said["prov:type"] = qualified(TYPES.get(each.kind, f"penstock:{each.kind.capitalize()}"))
    if each.path is not None:
        said["prov:location"] = plain(each.path)
    return said | terms({"bytes": each.bytes, "sha256": each.sha256, **each.details})


def activity(each: Activity) -> Attributes:
    """Return the attributes of an activity."""
    said: Attributes = {"prov:label": plain(each.label)}
    if each.began is not None:
        said["prov:startTime"] = timestamp(each.began)
    if each.ended is not None:
        said["prov:endTime"] = timestamp(each.ended)
    return said | terms({"stage": each.stage, "outcome": each.outcome, **each.details})


def agent(each: Agent) -> Attributes:
    """Return the attributes of an agent."""
    return {
        "prov:label": plain(each.label),
        "prov:type": qualified(AGENTS[each.kind]),
        **terms(each.details),
    }


def terms(details: Mapping[str, Scalar | None]) -> Attributes:
    """Return attributes of penstock's own, without those that are not known."""
    return {
        f"penstock:{key}": plain(value) if isinstance(value, str) else value
        for key, value in sorted(details.items())
        if value is not None
    }

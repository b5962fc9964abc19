"""What attempts took and where they ran, as items of an RO-Crate: resources, variables, container images.

Source: Process Run Crate and Provenance Run Crate 0.5 (`resourceUsage`, `environment`, `containerImage`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from penstock.provenance.model import Activity, Trace
from penstock.provenance.names import identifier, plain

#: detail of an attempt → what it is called, and its unit
USED: Mapping[str, tuple[str, str]] = {
    "cpu_s": ("CPU time", "s"),
    "peak_bytes": ("peak memory", "B"),
    "wall_s": ("wall time", "s"),
}


def resource_items(activity: Activity) -> list[dict[str, Any]]:
    """Return what an attempt used, a value each."""
    return [
        {
            "@id": f"#usage/{activity.id}/{name}",
            "@type": "PropertyValue",
            "propertyID": f"penstock:{name}",
            "name": label,
            "value": str(activity.details[name]),
            "unitText": unit,
        }
        for name, (label, unit) in USED.items()
        if name in activity.details
    ]


def variable_items(activity: Activity) -> list[dict[str, Any]]:
    """Return the recorded variables with which an attempt ran; equal ones have one id."""
    known: Mapping[str, Any] = json.loads(str(activity.details.get("environment") or "{}"))
    return [
        {
            "@id": f"#{identifier('variable', name, str(value))}",
            "@type": "PropertyValue",
            "name": plain(name),
            "value": plain(str(value)),
        }
        for name, value in sorted(known.items())
    ]


def images(trace: Trace, activity: Activity) -> Iterator[str]:
    """Yield the container images of the definitions by which an activity went."""
    plans = {entity.id: entity for entity in trace.entities if entity.kind == "plan"}
    for link in trace.of("wasAssociatedWith"):
        if link.subject == activity.id and link.plan in plans and "container" in plans[link.plan].details:
            yield str(plans[link.plan].details["container"])

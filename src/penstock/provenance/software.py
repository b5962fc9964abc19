"""Who ran tasks, and with which programs: the agents beside penstock itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from penstock.provenance.model import Agent, Scalar
from penstock.provenance.names import identifier
from penstock.provenance.secrets import as_text, scrub

Software = Mapping[str, Any]


def agents_of(software: Software) -> Iterator[Agent]:
    """Yield the person and the programs, each with its version."""
    if user := software.get("user"):
        yield Agent(identifier("person", user), "person", user)
    for name, version in versions_of(software).items():
        yield Agent(identifier("software", name, version), "software", name, {"version": version})


def versions_of(software: Software) -> dict[str, str]:
    """Return the versions of programs that are known."""
    given: Mapping[str, str] = software.get("versions") or {}
    python = {"python": software["python"]} if "python" in software else {}
    return {name: scrub(str(version)) for name, version in {**python, **given}.items()}


def details_of(software: Software) -> dict[str, Scalar]:
    """Return where an attempt ran, beyond its host: the system, and the variables that may be told."""
    told: dict[str, Scalar] = {}
    if system := software.get("system"):
        told["system"] = scrub(str(system))
    if environment := software.get("environment"):
        told["environment"] = as_text(environment)
    return told

"""The definition of a stage as documents show it: what makes its results what they are, without secrets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from penstock.provenance.model import Entity, Scalar
from penstock.provenance.names import identifier, versioned
from penstock.provenance.secrets import as_text, scrub, scrub_command

#: the parts of a frozen stage that are told as JSON, where they are not empty; values of variables are not
AS_JSON = ("params", "templates", "needs")
AS_TEXT = ("python", "setup", "where", "version", "container")


def plan_of(stage: str, digest: str, frozen: Mapping[str, Any] | None) -> Entity:
    """Return the definition of a stage; of one that the record no longer has, its digest alone."""
    sha256 = digest.rpartition(":")[2]
    name = versioned(identifier("definition", stage), sha256)
    return Entity(name, "plan", f"definition of {stage}", sha256=sha256, details=described(frozen or {}))


def described(frozen: Mapping[str, Any]) -> dict[str, Scalar]:
    """Return what a frozen stage says of how results are made."""
    told: dict[str, Scalar] = {part: scrub(frozen[part]) for part in AS_TEXT if frozen.get(part)}
    if command := frozen.get("command"):
        told["command"] = as_text(command_of(command, shell=bool(frozen.get("shell"))))
    told |= {part: as_text(frozen[part]) for part in AS_JSON if frozen.get(part)}
    if environment := frozen.get("environment"):
        told["variables"] = as_text(sorted(environment))
    return told


def command_of(words: Sequence[str], *, shell: bool) -> list[str]:
    """Return a command without secrets."""
    return [scrub("".join(words))] if shell else scrub_command(words)


def configuration_of(frozen: Mapping[str, Any] | None) -> list[Entity]:
    """Return the files of the campaign that a stage's definition depends on: code, templates, what it `needs`.

    Python modules are told apart by their syntax, others by their content, so the digest is not always that of the
    bytes.
    """
    code: Mapping[str, str] = (frozen or {}).get("code") or {}
    return [
        Entity(
            versioned(identifier("file", path), mark.rpartition(":")[2]),
            "file",
            path,
            path,
            details={"digest": mark},
        )
        for path, mark in sorted(code.items())
    ]

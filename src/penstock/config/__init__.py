"""Definitions: what people type, checked and turned into a frozen `Campaign`.

Imports here are local so that a campaign's Python file, which workers import, costs no pydantic.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from penstock.campaign import Campaign

__all__ = ["check", "from_json", "load", "schema", "to_json"]


def load(
    where: Path | str, overrides: Sequence[str] = (), *, known: Mapping[str, Any] | None = None
) -> Campaign:
    """Read, check and freeze the definition in a folder or file.

    >>> load("winter", ["stage.spectrogram.params.window=2048"])  # doctest: +SKIP

    `overrides` are `--set` texts. `known` is the frozen copy of an earlier load: while all that it was read from
    is unchanged, it is returned, and nothing is checked again. Raises DefinitionError: one sentence with file, line and
    remedy.
    """
    from penstock.config.frozen import from_json, to_json
    from penstock.config.origin import origin_of
    from penstock.config.reading import read_draft

    draft = read_draft(Path(where), overrides)
    if known and known.get("origin") == origin_of(draft, known):
        return from_json(known)
    from penstock.config.assemble import assemble

    campaign = assemble(draft)
    return replace(campaign, origin=origin_of(draft, to_json(campaign)))


def check(campaign: Campaign) -> list[str]:
    """Raise DefinitionError for a missing executable or function; return warnings."""
    from penstock.config.reach import check_reach

    return check_reach(campaign)


def to_json(campaign: Campaign) -> dict[str, Any]:
    """Return the frozen copy that the ledger keeps: plain data, with its `digest`."""
    from penstock.config.frozen import to_json

    return to_json(campaign)


def from_json(copy: Mapping[str, Any]) -> Campaign:
    """Return the campaign that `to_json` made `copy` of."""
    from penstock.config.frozen import from_json

    return from_json(copy)


def schema() -> dict[str, Any]:
    """Return the JSON Schema of `penstock.toml`, for editors."""
    from penstock.config.models import Definition

    return {"title": "penstock.toml", **Definition.model_json_schema(by_alias=True)}

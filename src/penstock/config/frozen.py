"""The frozen copy of a campaign: plain data for the ledger, readable without its definition."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from penstock.campaign import Campaign, FileSource, Source, Stage, TableSource
from penstock.units import Expression, Pattern, Template


def to_json(campaign: Campaign) -> dict[str, Any]:
    """Return `campaign` as JSON-able data, with the `digest` of all of it.

    Stages have the names of `penstock.campaign.Stage`; templates, patterns and expressions are their text.
    """
    copy: dict[str, Any] = {
        "format": 1,
        "name": campaign.name,
        "root": str(campaign.root),
        "file": str(campaign.file) if campaign.file else None,
        "levels": list(campaign.levels),
        "formats": dict(campaign.formats),
        "types": dict(campaign.types),
        "complete": dict(campaign.complete),
        "derive": _plain(campaign.derive),
        "overrides": list(campaign.overrides),
        "sources": [_source(source) for source in campaign.sources],
        "stages": [_stage(stage, campaign.levels) for stage in campaign.stages],
        "sites": {name: _plain(site) for name, site in campaign.sites.items()},
    }
    copy["digest"] = hashlib.sha256(json.dumps(copy, sort_keys=True).encode()).hexdigest()
    return copy


def _source(source: Source) -> dict[str, Any]:
    kind = (
        "files"
        if isinstance(source, FileSource)
        else "table"
        if isinstance(source, TableSource)
        else "python"
    )
    return {"kind": kind, **_plain(source)}


def _stage(stage: Stage, levels: tuple[str, ...]) -> dict[str, Any]:
    each = levels[stage.level - 1] if stage.level else "campaign"
    return {**_plain(stage), "each": each}


def _plain(value: Any) -> Any:
    if isinstance(value, (Template, Pattern, Expression)):
        return value.text
    if isinstance(value, Path):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: _plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}  # type: ignore[misc]
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]  # type: ignore[misc]
    return value

"""Definitions: what people type, checked and turned into a frozen `Campaign`.

Imports here are local so that a campaign's Python file, which workers import, costs no pydantic.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from penstock.campaign import Campaign

__all__ = ["check", "load", "schema", "to_json"]


def load(where: Path, overrides: Sequence[str] = ()) -> Campaign:
    """Read, check and freeze the definition in a folder or file.

    >>> load(Path("winter"), ["stage.spectrogram.params.window=2048"])  # doctest: +SKIP

    `overrides` are `--set` texts. Raises DefinitionError: one sentence with file, line and remedy.
    """
    from penstock.config.assemble import assemble
    from penstock.config.reading import read_draft

    return assemble(read_draft(where, overrides))


def check(campaign: Campaign) -> list[str]:
    """Raise DefinitionError for a missing executable or function; return warnings."""
    from penstock.config.reach import check_reach

    return check_reach(campaign)


def to_json(campaign: Campaign) -> dict[str, Any]:
    """Return the frozen copy that the ledger keeps: plain data, with its `digest`."""
    from penstock.config.frozen import to_json

    return to_json(campaign)


def schema() -> dict[str, Any]:
    """Return the JSON Schema of `penstock.toml`, for editors."""
    from penstock.config.models import Definition

    return {"title": "penstock.toml", **Definition.model_json_schema(by_alias=True)}

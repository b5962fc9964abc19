"""Campaigns with one source, and scans of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

import penstock
from penstock.campaign import Campaign
from penstock.sources import Found, ScanState, scan

NOW = 1_800_000_000.0
OLD = NOW - 3600


@pytest.fixture
def put(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a file of some age under the campaign."""

    def write(name: str, text: str = "data", mtime: float = OLD) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        os.utime(path, (mtime, mtime))
        return path

    return write


@pytest.fixture
def campaign_of(tmp_path: Path) -> Callable[..., Campaign]:
    """Return a function that freezes a campaign with the given units."""

    def freeze(units: Mapping[str, Any], *levels: str) -> Campaign:
        return penstock.Campaign("x", levels=levels or ["file"], units=units, root=tmp_path).freeze()

    return freeze


def state_at(now: float = NOW, settling: Mapping[str, tuple[str, float]] | None = None) -> ScanState:
    """Make the state of a scan whose file server has the same clock."""
    return ScanState(now, lambda device: now, settling or {})


def found_in(campaign: Campaign, state: ScanState | None = None) -> list[Found]:
    """Scan the campaign's finest source, in the order of keys."""
    return sorted(scan(campaign.sources[-1], campaign, state or state_at()))

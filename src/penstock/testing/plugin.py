"""Fixtures for pytest: `pytest_plugins = ["penstock.testing.plugin"]` in a `conftest.py` brings them in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from penstock.pretended.clock import ManualClock
from penstock.testing.campaigns import MadeCampaign
from penstock.testing.campaigns import make_campaign as make_in

Make = Callable[..., MadeCampaign]


@pytest.fixture
def make_campaign(tmp_path: Path) -> Make:
    """A function that makes a campaign in a folder of this test: `make_campaign(toml_text, files={…})`."""

    def make(
        definition: str, files: Mapping[str, str | bytes] | None = None, *, name: str = "campaign"
    ) -> MadeCampaign:
        return make_in(tmp_path / name, definition, files)

    return make


@pytest.fixture
def manual_clock() -> ManualClock:
    """A clock that the test turns."""
    return ManualClock()

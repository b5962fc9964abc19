"""Definitions in a folder of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from penstock.campaign import Campaign
from penstock.config import load

HEAD = """\
[campaign]
name = "winter"
levels = ["night", "run", "file"]

[units]
files = "audio/{night:%Y-%m-%d}/{run:05d}_{file}.wav"
"""


@pytest.fixture
def define(tmp_path: Path) -> Callable[..., Campaign]:
    """Return a function that loads a definition from its text; `head` stands before it."""

    def load_text(text: str, *overrides: str, head: str = HEAD) -> Campaign:
        (tmp_path / "penstock.toml").write_text(head + text)
        return load(tmp_path, overrides)

    return load_text

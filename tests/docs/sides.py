"""The pages on moving to penstock have two sides: each runs, and both make the same files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.docs.blocks import read_blocks, told_otherwise

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs/migrate"
PEERS = ROOT / ".venv-peers/bin"
MADE = ("measured", "nights", "summary.txt")


def check_sides(name: str, folder: Path) -> None:
    """Run the page after that of the job, and compare what its sides made, byte for byte."""
    page = PAGES / f"{name}.md"
    job, sides = (path.read_text("utf-8") for path in (PAGES / "index.md", page))
    told = told_otherwise(page, [*read_blocks(job), *read_blocks(sides)], folder)
    assert not told, told
    before, after, taken = (made_in(folder / side) for side in ("before", "after", "taken"))
    assert len(before) == 9 + 3 + 1, sorted(before)
    assert before == after == taken, f"{name}: the sides differ"


def made_in(folder: Path) -> dict[str, bytes]:
    """Return the products that lie in a folder."""
    found = (path for path in folder.rglob("*.txt") if path.relative_to(folder).parts[0] in MADE)
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def need_peer(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the other managers on the PATH, after penstock's own Python; skip without this one."""
    if not (PEERS / program).exists():
        pytest.skip("another manager is not in .venv-peers; `make peers` installs it")
    monkeypatch.setenv("PATH", os.environ["PATH"] + os.pathsep + str(PEERS))

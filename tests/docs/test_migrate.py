"""Whoever comes from another manager finds on the page what both do."""

import re
from pathlib import Path

import pytest
from tests.docs.sides import PAGES, check_sides, need_peer


def test_both_sides_of_private_make_the_same(tmp_path: Path) -> None:
    check_sides("private", tmp_path)


@pytest.mark.slow
def test_both_sides_of_snakemake_make_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need_peer("snakemake", monkeypatch)
    check_sides("snakemake", tmp_path)


def test_each_page_is_linked_and_tried() -> None:
    index = (PAGES / "index.md").read_text("utf-8")
    assert set(re.findall(r"\]\((\w+)\.md\)", index)) == {"sbatch", "snakemake", "gwf", "private"}
    assert {path.stem for path in PAGES.glob("*.md")} == {"index", "sbatch", "snakemake", "gwf", "private"}

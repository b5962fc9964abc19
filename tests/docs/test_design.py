"""The design page tells the layers as they are."""

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def layers() -> Any:
    spec = importlib.util.spec_from_file_location("layers", ROOT / "tests/test_layers.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def told_layers() -> list[list[str]]:
    page = (ROOT / "docs/design.md").read_text("utf-8")
    block = page.split("## The layers")[1].split("```")[1]
    lines = [re.split(r" {5,}", line.strip())[0] for line in block.splitlines()[1:] if line.strip()]
    return [re.findall(r"\w+", line) for line in lines]


def test_every_part_has_its_layer_in_the_design() -> None:
    there = {path.stem for path in (ROOT / "src/penstock").iterdir() if path.stem in layers().RANK}
    assert {name for line in told_layers() for name in line} == there - {"__main__"}


def test_the_design_tells_the_layers_in_their_order() -> None:
    ranks = [layers().RANK[name] for line in told_layers() for name in line]
    assert ranks == sorted(ranks, reverse=True)


def test_the_folders_of_a_job_are_those_that_the_design_draws() -> None:
    drawn = (ROOT / "docs/design.md").read_text("utf-8").split("## Where things are")[1].split("```")[1]
    code = "\n".join(path.read_text() for path in (ROOT / "src/penstock").rglob("*.py"))
    named = re.findall(r"─ ([\w.]+\.\w+|closed) ", drawn)
    own = [name for name in named if not re.match(r"\d|p\w{10}|penstock", name)]
    assert len(own) >= 5
    assert [name for name in own if f'"{name}"' not in code and f'/{name}"' not in code] == []


@pytest.mark.parametrize("package", ["conductor", "ledger", "site"])
def test_every_module_of_a_package_that_is_told_by_module_is_named(package: str) -> None:
    section = (ROOT / "docs/design.md").read_text("utf-8").split("## The layers")[1].split("\n## ")[0]
    modules = {path.stem for path in (ROOT / "src/penstock" / package).rglob("*.py")} - {"__init__"}
    assert modules - set(re.findall(r"\*(\w+)\*", section)) == set()


def test_no_module_is_named_that_is_not_there() -> None:
    section = (ROOT / "docs/design.md").read_text("utf-8").split("## The layers")[1].split("\n## ")[0]
    there = {
        path.stem if path.stem != "__init__" else path.parent.name
        for path in (ROOT / "src/penstock").rglob("*.py")
    }
    assert set(re.findall(r"\*(\w+)\*", section)) - there == set()

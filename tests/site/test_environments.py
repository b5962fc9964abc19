"""What the functions of a far site's stages find there."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock import config
from penstock.conductor import Conductor
from penstock.conductor.plan import plan
from penstock.errors import DefinitionError
from penstock.ledger import FOLDER
from penstock.site import Sites

TOML = """
campaign = { name = "words", levels = ["file"], site = "far" }
units = { files = "in/{file}.txt", settle = "0s" }
[stage.copy]
each = "file"
command = ["cp", "{path}", "{product}"]
products = "out/{file}.txt"
[stage.count]
each = "file"
after = "copy"
python = "words:count"
%s
[site.far]
scheduler = "slurm"
%s
"""
FAR = 'host = "coulson"\n'


def define(root: Path, site: str, stage: str = "") -> Path:
    (root / "words.py").write_text("def count(task): return {}\n")
    (root / "in").mkdir(exist_ok=True)
    (root / "in/a.txt").write_text("a")
    (root / "penstock.toml").write_text(TOML % (stage, site))
    return root


def test_a_function_far_away_needs_to_know_its_python(tmp_path: Path) -> None:
    campaign = config.load(define(tmp_path, FAR))
    with pytest.raises(DefinitionError) as refused:
        Sites(campaign).check()
    assert str(refused.value) == (
        "stage 'count' is a Python function, and [site.far] does not say which Python at coulson has what it needs:"
        " name one as `python`, load one in `setup`, or give a `container`"
    )
    with pytest.raises(DefinitionError, match="which Python"):
        plan(campaign)
    with pytest.raises(DefinitionError, match="which Python"), Conductor(campaign, command="run"):
        pass
    assert not (tmp_path / FOLDER).exists(), "nothing was recorded"


@pytest.mark.parametrize(
    "said", ['python = "python3.12"', 'setup = ["module load python"]', 'container = "lab.sif"']
)
def test_a_site_that_says_what_brings_it_is_accepted(tmp_path: Path, said: str) -> None:
    Sites(config.load(define(tmp_path, FAR + said))).check()


def test_a_function_on_a_login_node_runs_with_the_python_there_is(tmp_path: Path) -> None:
    Sites(config.load(define(tmp_path, ""))).check()


def test_a_function_that_runs_here_needs_nothing_of_a_far_site(tmp_path: Path) -> None:
    Sites(config.load(define(tmp_path, FAR, stage='site = "local"'))).check()


def test_a_function_that_follows_a_command_far_away_is_refused_too(tmp_path: Path) -> None:
    campaign = config.load(define(tmp_path, FAR, stage='with = "copy"'))
    with pytest.raises(DefinitionError, match="stage 'count' is a Python function"):
        Sites(campaign).check()

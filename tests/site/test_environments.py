"""What the functions of a far site's stages find there."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock import config
from penstock.conductor import Conductor
from penstock.conductor.plan import plan
from penstock.errors import DefinitionError
from penstock.ledger import FOLDER
from penstock.schedulers.model import Request
from penstock.site import ClusterSite, Sites
from penstock.site.environments import Environment, asked_of, held, read_environment, write_environment
from penstock.site.surveys import Platform
from penstock.site.wheels import Wheel

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
        " name one as `python`, load one in `setup`, give a `container`, or list `requirements`"
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


@pytest.mark.parametrize("site", [FAR, 'workdir = "work"\n'])
def test_requirements_that_are_not_installed_are_refused(tmp_path: Path, site: str) -> None:
    campaign = config.load(define(tmp_path, site + 'requirements = "numpy"\n'))
    with pytest.raises(DefinitionError) as refused:
        Sites(campaign).check()
    assert str(refused.value) == (
        "stage 'count' is a Python function, and the `requirements` of [site.far] are not installed there yet:"
        " run `penstock site provision far`"
    )


def test_requirements_that_have_changed_are_refused_and_installed_ones_run_jobs(tmp_path: Path) -> None:
    campaign = config.load(define(tmp_path, 'commands = "/bin"\nrequirements = ["numpy>=1.24"]\n'))
    site = campaign.sites["far"]
    platform = Platform("x86_64", "glibc 2.36", "/usr/bin/python3", "3.11.2", "cp311", {})
    made = Environment(
        asked_of(site, tmp_path), platform, (Wheel("numpy-2.0-any.whl", 1, "ab"),), "/far/env/ab"
    )
    with held(tmp_path, site):
        write_environment(tmp_path, site, made)
    assert read_environment(tmp_path, site) == made
    Sites(campaign).check()
    _, script = ClusterSite(site, tmp_path).draft(Request("pabcdefghij", 1))
    assert "exec /far/env/ab/bin/python -X utf8 " in script
    campaign = config.load(define(tmp_path, 'commands = "/bin"\nrequirements = ["numpy>=2.1"]\n'))
    with pytest.raises(
        DefinitionError, match="have changed since they were installed there: run `penstock site prov"
    ):
        Sites(campaign).check()


def test_commands_need_no_requirements(tmp_path: Path) -> None:
    campaign = config.load(define(tmp_path, FAR + 'requirements = "numpy"\n', stage='site = "local"'))
    Sites(campaign).check()


def test_this_machine_has_what_is_beside_penstock(tmp_path: Path) -> None:
    campaign = config.load(
        define(tmp_path, FAR + '[site.local]\nrequirements = "numpy"\n', stage='site = "local"')
    )
    with pytest.raises(
        DefinitionError, match="site 'local' is this machine: install its `requirements` beside"
    ):
        Sites(campaign).check()


@pytest.mark.parametrize("text", ["--index-url=http://evil", "", " numpy"])
def test_an_option_is_no_requirement(tmp_path: Path, text: str) -> None:
    with pytest.raises(DefinitionError, match="requirements"):
        config.load(define(tmp_path, FAR + f'requirements = "{text}"\n'))

"""`check` finds what cannot be reached, without importing it."""

import re
from collections.abc import Callable
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

from penstock.campaign import Campaign
from penstock.config import check
from penstock.errors import DefinitionError

Define = Callable[..., Campaign]


def test_a_missing_executable_is_told_with_its_line(define: Define):
    campaign = define('[stage.a]\neach = "run"\ncommand = ["no-such-program", "{run}"]\n')
    with pytest.raises(
        DefinitionError, match="'no-such-program', the command of 'a', is neither on PATH"
    ) as caught:
        check(campaign)
    assert caught.value.line == 9


def test_an_executable_may_stand_in_the_campaign(define: Define, tmp_path: Path):
    campaign = define('[stage.a]\neach = "run"\ncommand = ["bin/prog"]\n')
    with pytest.raises(DefinitionError, match="bin/prog"):
        check(campaign)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "prog").write_text("#!/bin/sh\n")
    with pytest.raises(DefinitionError, match="bin/prog"):
        check(campaign)
    (tmp_path / "bin" / "prog").chmod(0o755)
    assert check(campaign) == []


def test_an_executable_is_looked_for_on_the_path_of_the_stage(define: Define, tmp_path: Path):
    (tmp_path / "prog").write_text("#!/bin/sh\n")
    (tmp_path / "prog").chmod(0o755)
    text = '[stage.a]\neach = "run"\ncommand = ["prog"]\n'
    with pytest.raises(DefinitionError, match="'prog'"):
        check(define(text))
    assert check(define(f'{text}environment = {{ PATH = "{tmp_path}" }}\n')) == []


def test_an_executable_that_is_a_placeholder_is_not_checked(define: Define):
    assert check(define('[stage.a]\neach = "run"\ncommand = ["{run}"]\n')) == []


def test_an_executable_of_a_far_site_is_not_checked(define: Define):
    text = '[stage.a]\neach = "run"\ncommand = ["no-such-program"]\nsite = "far"\n[site.far]\nscheduler = "pbs"\nhost = "far"\n'
    assert check(define(text)) == []


def test_a_missing_program_in_shell_text_is_a_warning(define: Define):
    (warning,) = check(
        define('[stage.a]\neach = "run"\nshell = true\ncommand = "no-such-program {run} | sort"\n')
    )
    assert "'no-such-program', the command of 'a'" in warning


@pytest.mark.parametrize(
    "text", ["for i in 1 2; do echo {run}; done", "X=1 prog {run}", "(cd a; b {run})", "{run}", "cat {run}"]
)
def test_shell_text_that_begins_otherwise_gives_no_warning(define: Define, text: str):
    assert check(define(f'[stage.a]\neach = "run"\nshell = true\ncommand = "{text}"\n')) == []


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("own:proces", "has no function 'proces', which 'own:proces' names; did you mean 'process'?"),
        ("nowhere.at.all:f", "the module 'nowhere.at.all' of 'nowhere.at.all:f' cannot be found"),
        ("json.nothing:f", "the module 'json.nothing'"),
        ("json:lods", "did you mean 'loads'?"),
        ("broken:f", "the module of 'broken:f' is not Python"),
    ],
)
def test_a_function_that_cannot_be_found_is_told(define: Define, tmp_path: Path, reference: str, said: str):
    (tmp_path / "own.py").write_text("import no_such_heavy_module\ndef process(task): ...\n")
    (tmp_path / "broken.py").write_text("def f(:\n")
    with pytest.raises(DefinitionError, match=re.escape(said)):
        check(define(f'[stage.a]\neach = "run"\npython = "{reference}"\n'))


@pytest.mark.parametrize(
    "reference",
    ["own:process", "own:Other", "own:assigned", "own:loads", "json:loads", "math:sqrt", "own:later"],
)
def test_a_function_that_is_there_is_found_without_importing(define: Define, tmp_path: Path, reference: str):
    (tmp_path / "own.py").write_text(
        "import no_such_heavy_module\nfrom json import loads\ndef process(task): ...\nclass Other: ...\n"
        "assigned = lambda task: 1\nif True:\n    def later(task): ...\n"
    )
    assert check(define(f'[stage.a]\neach = "run"\npython = "{reference}"\n')) == []


def test_a_compiled_module_of_the_campaign_is_there(define: Define, tmp_path: Path):
    (tmp_path / f"fast{EXTENSION_SUFFIXES[-1]}").write_bytes(b"\x7fELF")
    assert check(define('[stage.a]\neach = "run"\npython = "fast:run"\n')) == []


def test_set_up_functions_and_unit_functions_are_looked_for_too(define: Define):
    with pytest.raises(DefinitionError, match="'json:nothing'"):
        check(define('[stage.a]\neach = "run"\npython = "json:loads"\nsetup = "json:nothing"\n'))
    with pytest.raises(DefinitionError, match="'nowhere:units'"):
        check(define('[units.run]\npython = "nowhere:units"\n[stage.a]\neach = "run"\ncommand = ["true"]\n'))


def test_a_definition_without_a_stage_is_not_right(define: Define):
    with pytest.raises(DefinitionError, match=r"has no stage, so there is nothing to do; add \[stage.NAME\]"):
        check(define(""))


def test_a_missing_input_template_is_told(define: Define):
    text = (
        '[stage.a]\neach = "run"\ncommand = ["true"]\nscratch = true\ntemplates = { "in.txt" = "no.tmpl" }\n'
    )
    with pytest.raises(DefinitionError, match=r"the template 'no\.tmpl' of 'a' does not exist"):
        check(define(text))

"""Programs that are built where they run: what they are built from is part of what their stages are."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from penstock.campaign import Campaign
from penstock.config import check, from_json, load, to_json
from penstock.errors import DefinitionError

Define = Callable[..., Campaign]

STAGES = """
[program.flow]
sources = ["src", "extra/*.inc"]
build = "make -C src"
executable = "src/flow"

[stage.a]
each = "file"
command = ["{program.flow}", "{path}", "{product}"]
products = "a/{file}_{run}_{night}"

[stage.b]
each = "file"
command = ["cp", "{path}", "{product}"]
products = "b/{file}_{run}_{night}"
"""


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    for name in ("src/flow.c", "src/deep/part.h", "src/Makefile", "extra/one.inc", "extra/two.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path


def digests(campaign: Campaign) -> dict[str, str]:
    return {stage.name: stage.digest for stage in campaign.stages}


def test_folders_and_patterns_become_files(define: Define, sources: Path) -> None:
    (program,) = define(STAGES).stage("a").programs
    assert [*program.files] == ["extra/one.inc", "src/Makefile", "src/deep/part.h", "src/flow.c"]
    assert (program.build, program.executable) == ("make -C src", "src/flow")
    assert define(STAGES).stage("b").programs == ()
    assert define('[program.x]\nsources = "src/flow.c"\nbuild = ["a", "b"]\n').stages == ()


def test_what_compilers_leave_is_no_source_unless_it_is_named(define: Define, sources: Path) -> None:
    before = digests(define(STAGES))
    for name in ("src/flow", "src/flow.o", "src/lib.a", "src/.flow.c.swp", "src/.git/HEAD"):
        (sources / name).parent.mkdir(exist_ok=True)
        (sources / name).write_text("x")
    assert digests(define(STAGES)) == before
    (program,) = define(STAGES.replace('"src"', '"src", "src/lib.a"')).stage("a").programs
    assert "src/lib.a" in program.files


@pytest.mark.parametrize("name", ["src/flow.c", "src/new.h"])
def test_an_edited_or_new_source_changes_its_stage_alone(define: Define, sources: Path, name: str) -> None:
    first = define(STAGES)
    known = to_json(first)
    (sources / name).write_text("changed")
    second = load(sources, known=known)
    assert digests(second)["a"] != digests(first)["a"]
    assert digests(second)["b"] == digests(first)["b"]


def test_a_touched_source_and_another_file_change_nothing(define: Define, sources: Path) -> None:
    first = define(STAGES)
    os.utime(sources / "src/flow.c", (1, 1))
    (sources / "extra/two.txt").write_text("changed")
    assert digests(load(sources)) == digests(first)
    assert load(sources, known=to_json(first)).origin == first.origin


def test_how_it_is_built_is_part_of_the_stage(define: Define, sources: Path) -> None:
    first = digests(define(STAGES))
    assert digests(define(STAGES.replace("make -C src", "make -C src fast")))["a"] != first["a"]
    other = STAGES.replace("src/flow", "src/fast")
    assert digests(define(other))["a"] != first["a"]


def test_the_frozen_copy_has_it_all(define: Define, sources: Path) -> None:
    campaign = define(STAGES)
    assert from_json(to_json(campaign)) == campaign


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "{program.flow}",
            "{program.flaw}",
            "'a' names the program 'flaw', which has no [program.flaw]; did you mean 'flow'?",
        ),
        (
            '"extra/*.inc"',
            '"extra/*.f90"',
            "[program.flow] is built from 'extra/*.f90', and {root} has no such file",
        ),
        (
            '"extra/*.inc"',
            '"../*.inc"',
            "[program.flow] names '../*.inc', which is not below the campaign's folder",
        ),
        ('"extra/*.inc"', '"."', "[program.flow] names '.', which is not below the campaign's folder"),
        (
            '= "src/flow"',
            '= "/bin/flow"',
            "[program.flow] names '/bin/flow', which is not below the campaign's folder",
        ),
    ],
)
def test_what_cannot_be_is_refused(define: Define, sources: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        check(define(STAGES.replace(old, new)))
    assert said.replace("{root}", str(sources)) in caught.value.message


def test_no_product_replaces_a_source(define: Define, sources: Path) -> None:
    stage = (
        '[stage.c]\neach = "campaign"\ncommand = ["{program.flow}", "{product}"]\nproducts = "src/flow.c"\n'
    )
    with pytest.raises(DefinitionError, match=r"would replace flow.c, which the definition names"):
        check(define(STAGES + stage))


@pytest.mark.parametrize(
    ("build", "said"),
    [
        ("make", "is built by `make`, and none of its `sources` is Makefile; add it"),
        ("make -C deep flow", "none of its `sources` is deep/Makefile"),
        ("make -C src -f My.mk", "none of its `sources` is src/My.mk"),
        ("no-such-compiler -o flow", "'no-such-compiler', which builds [program.flow], is not on PATH"),
    ],
)
def test_check_names_what_a_build_lacks(define: Define, sources: Path, build: str, said: str) -> None:
    campaign = define(STAGES.replace("make -C src", build))
    with pytest.raises(DefinitionError) as caught:
        check(campaign)
    assert said in caught.value.message
    assert caught.value.line


def test_a_tool_that_a_set_up_may_bring_is_not_missed(define: Define, sources: Path) -> None:
    far = '[site.far]\nscheduler = "slurm"\nhost = "far"\n'
    text = STAGES.replace("make -C src", "no-such-compiler -o flow").replace(
        "[stage.a]", '[stage.a]\nsite = "far"'
    )
    assert check(define(text + far)) == []

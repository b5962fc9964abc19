"""Programs that are built before tasks need them, on this machine."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from tests.conductor.conftest import Lab
from tests.until import until

from penstock.conductor.plan import plan
from penstock.config import load

PROGRAM = """
[program.twice]
sources = "src"
build = "echo once >> {root}/built; sh src/compile.sh"
"""
STAGE = """
[stage.a]
each = "unit"
command = ["{program.twice}", "{unit}", "{product}"]
products = "a/{unit}.txt"
"""
COMPILE = "cp src/twice.sh twice\nchmod +x twice\n"
TWICE = '#!/bin/sh\necho "$1" "$1" > "$2"\n'


@pytest.fixture
def built(lab: Lab) -> Lab:
    lab.write("src/compile.sh", COMPILE)
    lab.write("src/twice.sh", TWICE)
    return define(lab, STAGE)


def define(lab: Lab, stages: str, *, units: int = 3) -> Lab:
    return lab.define(PROGRAM.replace("{root}", str(lab.root)) + stages, units=units)


def builds(lab: Lab) -> int:
    path = lab.root / "built"
    return len(path.read_text().splitlines()) if path.exists() else 0


def paused(lab: Lab) -> str:
    return lab.rows("SELECT coalesce(paused_why, '') FROM stage WHERE name = 'a'")[0][0]


def test_a_program_is_built_once_before_its_tasks_run(built: Lab) -> None:
    assert built.run().code == 0
    assert built.read("a/u1.txt") == "u1 u1\n"
    define(built, STAGE, units=5)
    assert built.run().code == 0
    assert built.states("a") == {"done": 5}
    assert builds(built) == 1
    assert not (built.root / "twice").exists(), "the campaign's folder is left as it is"


def test_its_path_may_stand_anywhere_in_a_command(built: Lab) -> None:
    stages = """
[stage.b]
each = "unit"
command = ["sh", "{program.twice}", "{unit}", "{product}"]
products = "b/{unit}.txt"
scratch = true
[stage.c]
each = "unit"
command = "{program.twice} {unit} {product} && echo =={program.twice} >> {product}"
shell = true
products = "c/{unit}.txt"
after = "b"
"""
    define(built, stages, units=1)
    assert built.run().code == 0
    (place,) = (built.root / ".penstock/store/build").glob("*/files/twice")
    assert built.read("b/u1.txt") == "u1 u1\n"
    assert built.read("c/u1.txt") == f"u1 u1\n=={place}\n"
    assert builds(built) == 1


def test_an_edited_source_makes_stale_what_it_made_and_touching_it_does_not(built: Lab) -> None:
    built.run()
    (built.root / "src/twice.sh").touch()
    built.run(stale=True)
    assert builds(built) == 1
    built.write("src/twice.sh", TWICE.replace("echo", "echo 2"))
    built.run()
    (row,) = built.rows("SELECT DISTINCT stale FROM task WHERE stale IS NOT NULL")
    assert "src/twice.sh, which its program is built from, changed" in built.command("why", "u1").stdout, row
    assert built.read("a/u1.txt") == "u1 u1\n"
    built.run(stale=True)
    assert built.read("a/u1.txt") == "2 u1 u1\n"
    assert builds(built) == 2
    assert len([*(built.root / ".penstock/store/build").glob("*/files")]) == 1, (
        "the first is not needed any more"
    )


def test_a_build_that_fails_pauses_its_stage_and_others_go_on(built: Lab) -> None:
    define(built, STAGE + '[stage.b]\neach = "unit"\ncommand = ["true"]\n')
    built.write("src/compile.sh", "echo a line\necho twice.c:3: error: no such luck >&2\nexit 2\n")
    ending = built.run()
    assert ending.code == 1
    assert built.states("a") == {"ready": 3}
    assert built.states("b") == {"done": 3}
    why = paused(built)
    assert why.startswith("twice cannot be built here: `echo once >> ")
    assert "ended with exit code 2 (twice.c:3: error: no such luck); all that it said is in " in why
    assert Path(why.rpartition(" in ")[2]).read_text("utf-8") == "a line\ntwice.c:3: error: no such luck\n"
    assert [line for line in ending.lines if "twice cannot be built here" in line]
    assert "twice cannot be built here" in built.command("status").stdout
    assert "twice cannot be built here" in built.command("why", "u1").stdout
    assert builds(built) == 1


def test_it_is_tried_again_when_its_sources_changed_and_when_somebody_runs_it_again(built: Lab) -> None:
    built.write("src/compile.sh", f"test -e {built.root}/luck && {{ {COMPILE}}}")
    assert built.run().code == 1
    assert built.run().code == 1
    assert builds(built) == 2
    (built.root / "luck").touch()
    built.write("src/new.txt", "what else there is")
    assert built.run().code == 0
    assert builds(built) == 3
    assert built.states("a") == {"done": 3}


def test_a_retry_tries_the_build_again(built: Lab) -> None:
    built.write("src/compile.sh", f"test -e {built.root}/luck && {{ {COMPILE}}}")
    with built.conductor() as conductor:
        conductor.tick()
        assert paused(built)
        conductor.tick()
        assert builds(built) == 1, "not before somebody has looked"
        (built.root / "luck").touch()
        built.ask("retry", stage="a")
        conductor.tick()
        assert not paused(built)
    assert builds(built) == 2


def test_a_long_build_holds_up_its_own_stage_alone(built: Lab) -> None:
    define(built, STAGE + '[stage.b]\neach = "unit"\ncommand = ["true"]\n')
    built.write("src/compile.sh", f"until test -e {built.root}/go; do sleep 0.05; done\n{COMPILE}")
    process = built.start("run")
    until(lambda: (built.root / ".penstock").exists() and done(built, "b"), "the other stage is done", 30)
    assert built.states("a") == {"ready": 3}
    until(lambda: "twice is being built at local since" in built.command("status").stdout, "status says so")
    assert "twice is being built at local since" in built.command("why", "u1").stdout
    (built.root / "go").touch()
    assert process.wait(30) == 0
    assert built.states("a") == {"done": 3}
    assert builds(built) == 1
    assert "being built" not in built.command("status").stdout


def test_a_build_that_nobody_looks_at_is_told_as_that(built: Lab) -> None:
    built.write("src/compile.sh", f"until test -e {built.root}/go; do sleep 0.05; done\n{COMPILE}")
    process = built.start("run")
    until(lambda: "is being built at local" in built.command("status").stdout, "status says so", 30)
    process.send_signal(signal.SIGINT)
    process.wait(30)
    assert "the build of twice at local was begun" in built.command("status").stdout
    (built.root / "go").touch()
    assert built.run().code == 0
    assert "the build of" not in built.command("status").stdout


def done(lab: Lab, stage: str) -> bool:
    sql = "SELECT count(*) FROM sqlite_master WHERE name = 'attempt'"
    return lab.rows(sql)[0][0] == 1 and lab.states(stage) == {"done": 3}


def test_a_build_goes_on_when_its_conductor_is_killed(built: Lab) -> None:
    built.write("src/compile.sh", f"touch {built.root}/begun; sleep 1\n{COMPILE}")
    process = built.start("run")
    until(lambda: (built.root / "begun").exists(), "it has begun", 30)
    process.kill()
    process.wait()
    assert built.run().code == 0
    assert builds(built) == 1


def test_a_source_that_changes_after_the_definition_was_read_is_not_built(built: Lab) -> None:
    with built.conductor() as conductor:
        built.write("src/twice.sh", TWICE.replace("echo", "echo 2"))
        conductor.tick()
    assert "src/twice.sh could not be sent" in paused(built)
    assert "run the same command again" in paused(built)
    assert built.run().code == 0
    assert built.read("a/u1.txt") == "2 u1 u1\n"


def test_followers_wait_with_what_they_follow(built: Lab) -> None:
    stages = """
[stage.first]
each = "unit"
command = ["sh", "-c", "echo $0 > $1", "{unit}", "{product}"]
products = "first/{unit}.txt"
[stage.a]
each = "unit"
with = "first"
command = ["{program.twice}", "{unit}", "{product}"]
products = "a/{unit}.txt"
"""
    define(built, stages)
    built.write("src/compile.sh", "exit 1")
    assert built.run().code == 1
    assert built.states("first") == {"ready": 3}
    built.write("src/compile.sh", COMPILE)
    assert built.run().code == 0
    assert built.states("a") == {"done": 3}


def test_the_dry_run_builds_nothing_and_names_what_would_run(built: Lab) -> None:
    text = plan(load(built.root)).to_text()
    assert "  $ twice u1 a/u1.txt" in text
    assert "  twice is built first, unless it is: `echo once >> " in text
    assert builds(built) == 0


def test_what_is_not_there_any_more_is_built_again(built: Lab) -> None:
    built.run()
    for place in (built.root / ".penstock/store/build").glob("*/files/twice"):
        place.unlink()
    define(built, STAGE, units=4)
    assert built.run().code == 0
    assert builds(built) == 2


def test_what_is_taken_away_while_tasks_run_is_built_again_and_costs_them_no_retry(built: Lab) -> None:
    once = f'test -e {built.root}/taken || {{ touch {built.root}/taken; rm "$0"; }}\n'
    built.write("src/twice.sh", TWICE + once)
    define(built, STAGE + "retry = { error = 0 }\n", units=5)
    assert built.run().code == 0
    assert built.states("a") == {"done": 5}
    assert builds(built) == 2
    assert {row[0] for row in built.rows("SELECT outcome FROM attempt")} == {"ok", "unstarted"}

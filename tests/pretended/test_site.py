"""A site without processes: a real conductor takes its word, and each of its faults ends well."""

import hashlib
import json
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from penstock.conductor import Conductor
from penstock.ledger import Ledger
from penstock.site.folders import JobFolders
from penstock.testing import (
    MadeCampaign,
    ManualClock,
    Outcome,
    PretendSite,
    Rule,
    Run,
    all_well,
    failing,
    make_campaign,
)
from penstock.transports.local import LocalTransport

TOML = """
[campaign]
name = "small"
levels = ["night", "run"]
[units]
files = "in/{night}/{run}.txt"
[stage.copy]
each = "run"
command = ["cp", "{path}", "{product}"]
products = "out/{night}/{run}.txt"
[stage.join]
each = "night"
after = ["copy"]
command = ["cat", "{inputs.copy}"]
products = "out/{night}.txt"
"""
FILES = {"in/a/1.txt": "1", "in/a/2.txt": "2", "in/b/1.txt": "3"}
ALL_DONE = {'["a","1"]': "done", '["a","2"]': "done", '["b","1"]': "done"}


@pytest.fixture
def made(tmp_path: Path) -> MadeCampaign:
    return make_campaign(tmp_path, TOML, files=FILES)


def outcomes(made: MadeCampaign, stage: str = "copy") -> list[str]:
    sql = "SELECT a.outcome FROM attempt a JOIN stage s ON s.id = a.stage WHERE s.name = ? ORDER BY a.id"
    with Ledger.open(made.root, readonly=True) as ledger:
        return [row[0] for row in ledger.db.execute(sql, (stage,))]


def run(made: MadeCampaign, rule: Rule = all_well, **faults: Any) -> PretendSite:
    """Run to the end on a site with these faults."""
    clock = ManualClock()
    site = PretendSite(made.root, rule=rule, clock=clock, **faults)
    ending = made.run(site=site)
    assert ending.code == 0, ending.lines
    return site


# --- what it does ---------------------------------------------------------------------------------


def test_every_task_ends_well_and_leaves_its_product(made: MadeCampaign) -> None:
    run(made)
    assert made.states("copy") == ALL_DONE
    assert made.states("join") == {'["a"]': "done", '["b"]': "done"}
    content = (made.root / "out/a.txt").read_bytes()
    with Ledger.open(made.root, readonly=True) as ledger:
        row = ledger.db.execute("SELECT bytes, digest FROM product WHERE path = 'out/a.txt'").fetchone()
    assert tuple(row) == (len(content), hashlib.sha256(content).hexdigest())


def test_a_rule_decides_by_stage_key_and_number(made: MadeCampaign) -> None:
    seen: list[tuple[str, str, int]] = []

    def rule(run: Run) -> Outcome:
        seen.append((run.stage, run.key, run.number))
        return Outcome("error", code=1) if run.key == "a/2" and run.number == 1 else Outcome()

    run(made, rule)
    assert ("copy", "a/2", 2) in seen
    assert ("copy", "a/1", 2) not in seen
    assert sorted(outcomes(made)) == ["error", "ok", "ok", "ok"]


def test_failing_fails_as_often_as_it_is_told(made: MadeCampaign) -> None:
    ending = made.run(failing("join", why="no room"))
    assert ending.code == 1
    assert set(made.states("join").values()) == {"failed"}
    assert outcomes(made, "join") == ["error"] * 4


def test_a_rule_sees_the_inputs_of_a_python_task_and_gives_it_a_result_and_children(tmp_path: Path) -> None:
    made = make_campaign(
        tmp_path,
        """
        [campaign]
        name = "small"
        levels = ["image", "roi"]
        [units]
        files = "in/{image}.txt"
        [stage.find]
        each = "image"
        python = "science:find"
        expands = "roi"
        [stage.measure]
        each = "roi"
        after = ["find"]
        python = "science:measure"
        products = "out/{image}/{roi}.json"
        [stage.table]
        each = "image"
        after = ["measure"]
        python = "science:table"
        """,
        files={"in/x.txt": "", "science.py": "def find(t): ...\ndef measure(t): ...\ndef table(t): ...\n"},
    )
    inputs: list[Any] = []

    def rule(run: Run) -> Outcome:
        if run.stage == "table":
            inputs.append(run.inputs)
        return Outcome(
            children=[("r1", {"area": 3}), ("r2", {})] if run.stage == "find" else (), result={"n": 1}
        )

    run(made, rule)
    assert made.states("measure") == {'["x","r1"]': "done", '["x","r2"]': "done"}
    assert inputs == [{"measure": ["out/x/r1.json", "out/x/r2.json"]}]


def test_tasks_take_as_long_as_the_rule_says_by_the_clock_of_the_test(made: MadeCampaign) -> None:
    clock = ManualClock(now=1_600_000_000.0, stride=60.0)
    site = PretendSite(made.root, rule=lambda run: Outcome(seconds=3600.0), clock=clock, cores=1)
    made.run(site=site)
    assert clock.now() >= 1_600_000_000 + 5 * 3600
    with Ledger.open(made.root, readonly=True) as ledger:
        times = ledger.db.execute("SELECT began, ended FROM attempt ORDER BY id").fetchall()
    assert {round(row[1] - row[0]) for row in times} == {3600}
    assert all(later[0] >= before[1] - 1 for before, later in pairwise(times))


def test_the_output_of_a_task_is_where_a_runner_would_have_left_it(made: MadeCampaign) -> None:
    with Conductor(
        made.load(), command="run", clock=ManualClock(), site=PretendSite(made.root, rule=None)
    ) as c:
        c.discover()
        c.submit()
        (runner, *_) = c.sites.here.runners.values()
        line = runner.batches[0].lines[0]
        runner.begin(line)
        runner.end(line, Outcome("error", code=1, log="it is broken\n"))
        assert (runner.events.path.with_name("1.1.log")).read_text() == "it is broken\n"


# --- faults ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["duplicates", "garbage", "other token", "long lines"])
def test_spoiled_lines_change_nothing(made: MadeCampaign, fault: Any) -> None:
    run(made, lines=[fault])
    assert made.states("copy") == ALL_DONE
    assert outcomes(made) == ["ok"] * 3


def once(then: Any, key: str = "a/1") -> Rule:
    """The rule by which the first try of one task goes wrong."""
    return lambda run: Outcome(then=then) if (run.key, run.number) == (key, 1) else Outcome()


def test_a_runner_that_dies_once_costs_its_task_nothing_but_another_try(made: MadeCampaign) -> None:
    run(made, once("dies"))
    assert made.states("copy") == ALL_DONE
    assert sorted(outcomes(made)) == ["lost", "ok", "ok", "ok"]


def test_a_start_without_an_end_six_times_is_a_failure(made: MadeCampaign) -> None:
    ending = made.run(lambda run: Outcome(then="dies") if run.key == "a/1" else Outcome())
    assert ending.code == 1
    assert made.states("copy") == {**ALL_DONE, '["a","1"]': "failed"}
    assert outcomes(made).count("lost") == 6


def test_a_runner_that_dies_at_once_is_started_again(made: MadeCampaign) -> None:
    site = run(made, dies_at_once=1)
    assert len(site.runners) > 1
    assert made.states("copy") == ALL_DONE


@pytest.mark.parametrize("lost", [1, 40, 100_000])
def test_an_event_file_that_lost_its_tail_loses_no_task(made: MadeCampaign, lost: int) -> None:
    run(made, once("dies"), loses_tail=lost)
    assert made.states("copy") == ALL_DONE


def test_an_end_that_is_written_after_its_runner_was_given_up_changes_nothing(made: MadeCampaign) -> None:
    site = run(made, once("ends late"))
    site.write_late_ends()
    with Conductor(made.load(), command="run", site=site, clock=site.clock) as conductor:
        assert conductor.run().code == 0
    assert outcomes(made).count("ok") == 3


def test_a_silent_runner_is_not_taken_for_dead(made: MadeCampaign) -> None:
    clock = ManualClock()
    site = PretendSite(made.root, rule=once("goes silent"), clock=clock, cores=1)
    with Conductor(made.load(), command="tick", site=site, clock=clock, accept_gone=False) as conductor:
        conductor.discover()
        for _ in range(5):
            conductor.submit()
            conductor.crew.collector.collect()
            clock.turn(100.0)
    assert "running" in made.states("copy").values()
    assert "lost" not in outcomes(made)


def test_a_power_cut_is_survived_by_the_same_command(made: MadeCampaign) -> None:
    clock = ManualClock()
    site = PretendSite(made.root, rule=lambda run: Outcome(seconds=60.0), clock=clock)
    with Conductor(made.load(), command="run", site=site, clock=clock) as conductor:
        conductor.discover()
        conductor.submit()
        clock.turn(90.0)
        conductor.crew.collector.collect()
    site.kill()
    assert made.run(site=site).code == 0
    assert made.states("copy") == ALL_DONE


# --- true to the real one -------------------------------------------------------------------------


def keys_by_kind(lines: list[dict[str, Any]]) -> dict[str, set[str]]:
    return {line["e"]: set(line) for line in lines}


def test_its_events_are_like_those_of_a_real_runner(made: MadeCampaign, tmp_path: Path) -> None:
    site = PretendSite(made.root, rule=None, clock=ManualClock())
    with Conductor(made.load(), command="run", site=site, clock=site.clock) as conductor:
        conductor.discover()
        conductor.submit()
        conductor.crew.retire_slots()
        (runner, *_) = (r for r in site.runners.values() if r.batches)
        folder = tmp_path / "real"
        folder.mkdir()
        (folder / "spec.json").write_text(json.dumps(runner.spec))
        (folder / "tasks.jsonl").write_bytes(runner.fed)
        (folder / "closed").write_text(str(len(runner.batches)))
        program = JobFolders(LocalTransport(folder), folder).put_runner()
        subprocess.run([sys.executable, program, folder], check=True, timeout=60)
    real = keys_by_kind([json.loads(line) for line in (folder / "1.1.jsonl").read_text().splitlines()])
    shutil.rmtree(made.root / "out")
    runner.rule = all_well
    runner.work()
    pretended = keys_by_kind([json.loads(line) for line in runner.events.data.splitlines()])
    assert pretended.keys() == real.keys() - {"beat"}
    assert pretended["claim"] == real["claim"] - {"python", "runner", "software"}
    assert real["end"] - {"contents"} <= pretended["end"], "it reads no input"
    assert pretended["end"] - real["end"] <= {"children", "result"}
    assert all(pretended[kind] == real[kind] for kind in ("start", "batch", "leave"))

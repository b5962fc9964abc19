"""Rules by fields, exit code and log: what they decide of units, before and after these are run, and who says so."""

from pathlib import Path

import pytest
from click.testing import CliRunner

import penstock.record
from penstock.cli.root import cli
from penstock.conductor import Conductor
from penstock.graph import build
from penstock.ledger import Ledger
from penstock.ledger.check import check_ledger
from penstock.pretended.outcomes import Run
from penstock.record.asking import Question, ask
from penstock.testing import ManualClock, Outcome, make_campaign
from penstock.testing.campaigns import MadeCampaign

HEAD = """
campaign = { name = "ruled", levels = ["run"] }
units.run = { table = "runs.csv" }
site.local.cores = 2
[stage.fit]
each = "run"
command = ["sh", "-c", "echo $1; exit $0", "{code}", "{said}"]
retry = { error = 0 }
rules = [
"""
TAIL = """]
[stage.sum]
each = "campaign"
after = "fit"
members = "done"
command = ["true"]
"""
RUNS = "run,kind,code,said\n"
BEFORE = """
{ name = "keep", where = "run == '4'", verdict = "permanent" },
{ name = "dark", where = "kind == 'dark'", verdict = "veto", why = "no light" },
{ where = "kind == 'old'", verdict = "mark", why = "as published" },
"""


def make(folder: Path, rules: str, runs: str) -> MadeCampaign:
    return make_campaign(folder, HEAD + rules + TAIL, {"runs.csv": RUNS + runs})


def rerule(made: MadeCampaign, rules: str) -> None:
    made.write("penstock.toml", HEAD + rules + TAIL)


def run(made: MadeCampaign) -> dict[str, str]:
    """Run it without faults in its record; return the states of `fit` by run."""
    made.run(lambda run: Outcome(), clock=ManualClock(1_600_000_000.0))
    with Ledger.open(made.root, readonly=True) as ledger:
        ids = dict(ledger.db.execute("SELECT name, id FROM stage WHERE NOT removed").fetchall())
        assert check_ledger(ledger, build(made.load(), ids)) == []
    return fits(made)


def fits(made: MadeCampaign) -> dict[str, str]:
    return {key[2:-2]: state for key, state in made.states("fit").items()}


def history(made: MadeCampaign, unit: str) -> list[tuple[str, str | None, str | None]]:
    """Return what is recorded of a unit's `fit`: what, why and by whom."""
    with penstock.record.open(made.root) as record:
        return [(e.what, e.why, e.by) for e in record.history(unit) if e.stage == "fit"]


def say(made: MadeCampaign, *words: str) -> str:
    result = CliRunner().invoke(cli, ["-C", str(made.root), *words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_a_rule_by_fields_keeps_units_from_being_run(tmp_path: Path) -> None:
    made = make(tmp_path, BEFORE, "1,light,0,x\n2,dark,0,x\n3,old,0,x\n4,dark,0,x\n")
    assert run(made) == {"1": "done", "2": "vetoed", "3": "done", "4": "done"}, "of 4 the first rule counts"
    assert history(made, "2") == [("vetoed", "no light", "rule dark")]
    assert history(made, "3") == [("marked", "as published", "rule 3")]
    assert made.states("sum") == {"[]": "done"}
    assert "vetoed by rule dark: no light" in say(made, "why", "2")
    assert "marked by rule 3: as published" in say(made, "why", "3", "--stage", "fit")
    assert "fit 2: vetoed by rule dark: no light" in say(made, "units", "--state", "vetoed")


def test_what_a_rule_decided_follows_the_fields(tmp_path: Path) -> None:
    made = make(tmp_path, BEFORE, "1,dark,0,x\n2,old,0,x\n")
    assert run(made) == {"1": "vetoed", "2": "done"}
    made.write("runs.csv", RUNS + "1,light,0,x\n2,light,0,x\n3,dark,0,x\n", mtime=1_550_000_000)
    assert run(made) == {"1": "done", "2": "done", "3": "vetoed"}
    assert [what for what, *_ in history(made, "1")] == ["vetoed", "veto lifted", "ok"]
    assert [what for what, *_ in history(made, "2")] == ["marked", "unmarked", "ok"]


def test_what_a_rule_decided_follows_the_definition(tmp_path: Path) -> None:
    made = make(tmp_path, "", "1,dark,0,x\n2,light,0,x\n")
    made.run(lambda run: Outcome("error", why="lamp off"))
    assert fits(made) == {"1": "failed", "2": "failed"}
    rerule(made, BEFORE)
    assert run(made) == {"1": "vetoed", "2": "failed"}
    rerule(made, BEFORE.replace("no light", "too dark"))
    assert run(made) == {"1": "vetoed", "2": "failed"}
    assert [why for what, why, _ in history(made, "1") if what == "vetoed"] == ["no light", "too dark"]
    rerule(made, "")
    assert run(made) == {"1": "done", "2": "failed"}


def test_a_person_has_the_last_word(tmp_path: Path) -> None:
    made = make(tmp_path, BEFORE, "1,dark,0,x\n2,old,0,x\n")
    run(made)
    say(made, "unveto", "1")
    say(made, "unmark", "2")
    made.write("runs.csv", RUNS + "1,dark,0,y\n2,old,0,y\n", mtime=1_550_000_000)
    assert run(made) == {"1": "done", "2": "done"}
    assert [what for what, *_ in history(made, "1") if what != "ok"] == ["vetoed", "veto lifted"]
    assert [what for what, *_ in history(made, "2") if what != "ok"] == ["marked", "unmarked"]


def test_a_veto_by_an_exit_code_is_not_lifted_by_other_fields(tmp_path: Path) -> None:
    made = make(tmp_path, BEFORE + '{ exit = 3, verdict = "veto" }', "1,light,3,x\n")
    made.run(lambda run: Outcome("error", code=3, why="no signal", verdict="veto"))
    assert fits(made) == {"1": "vetoed"}
    made.write("runs.csv", RUNS + "1,light,3,y\n", mtime=1_550_000_000)
    assert run(made) == {"1": "vetoed"}


def test_a_rule_that_cannot_be_worked_out_is_a_problem_of_its_unit(tmp_path: Path) -> None:
    made = make(tmp_path, '{ where = "int(said) > 3", verdict = "veto" }', "1,light,0,9\n2,light,0,nine\n")
    assert run(made) == {"1": "vetoed", "2": "done"}
    assert "fit.rules: the expression 'int(said) > 3' fails" in say(made, "status")


AFTER = """
{ name = "noise", where = "kind == 'dark'", exit = 3, log = "noise", verdict = "veto", why = "only noise" },
{ name = "empty", exit = 3, log = "nothing", verdict = "mark" },
{ where = "kind == 'dark'", verdict = "permanent", why = "it was dark" },
{ log = "licence", verdict = "transient" },
"""


def test_all_conditions_of_a_rule_must_hold_when_a_task_has_failed(tmp_path: Path) -> None:
    runs = "1,dark,3,noise\n2,light,3,noise\n3,dark,4,noise\n4,light,3,nothing\n5,light,4,licence\n6,dark,0,noise\n"
    made = make(tmp_path, AFTER, runs)
    with Conductor(made.load(), command="run") as conductor:
        assert conductor.run().code == 1
    assert fits(made) == {
        "1": "vetoed",
        "2": "failed",
        "3": "failed",
        "4": "done",
        "5": "failed",
        "6": "done",
    }
    with penstock.record.open(made.root) as record:
        then = {unit: [e.then for e in record.history(unit) if e.then] for unit in "12345"}
    assert then["1"] == ["vetoed: only noise (rule noise)"]
    assert then["2"] == ["failed: error after 1 try: sh ended with exit code 3: noise"]
    assert then["3"] == ["failed: not retried: it was dark (rule 3)"]
    assert then["4"] == ["done: marked: sh ended with exit code 3: nothing (rule empty)"]
    assert then["5"][0] == "ready: retried at no cost (1 of 5) (rule 4)"
    assert history(made, "1")[-1] == ("vetoed", "only noise", "rule noise")
    assert history(made, "4")[-1] == ("marked", "sh ended with exit code 3: nothing", "rule empty")
    assert "marked by rule empty" in say(made, "why", "4", "--stage", "fit")


@pytest.mark.parametrize("verdict", ["veto", "mark"])
def test_units_that_a_rule_decides_about_blow_no_fuse(tmp_path: Path, verdict: str) -> None:
    rules = f'{{ exit = 3, verdict = "{verdict}", why = "no signal" }}'
    made = make(tmp_path, rules, "".join(f"{n},light,{3 if n < 7 else 0},x\n" for n in range(1, 9)))
    with Conductor(made.load(), command="run") as conductor:
        assert conductor.run().code == 0
    assert set(fits(made).values()) == {"vetoed", "done"} - ({"vetoed"} if verdict == "mark" else set())


def test_a_mark_of_an_earlier_definition_spares_nobody_a_product(tmp_path: Path) -> None:
    made = make(tmp_path, "", "1,light,0,x\n")
    rule = HEAD.replace("retry =", 'products = "fits/{run}"\nretry =').replace("echo", "touch $2; echo")
    made.write("penstock.toml", rule.replace('"{said}"]', '"{said}", "{product}"]') + TAIL)
    made.run(lambda run: Outcome("error", code=3, why="no signal", verdict="mark"))
    assert fits(made) == {"1": "failed"}


def test_the_veto_of_a_follower_lets_the_one_before_it_run(tmp_path: Path) -> None:
    text = (
        HEAD + ']\n[stage.draw]\neach = "run"\nwith = "fit"\ncommand = ["true"]\nrules = [' + BEFORE + "]\n"
    )
    made = make_campaign(tmp_path, text, {"runs.csv": RUNS + "1,dark,0,x\n2,light,0,x\n"})
    assert run(made) == {"1": "done", "2": "done"}
    assert [*made.states("draw").values()] == ["vetoed", "done"]


def test_only_rules_about_a_unit_travel_with_it(tmp_path: Path) -> None:
    made = make(tmp_path, BEFORE + AFTER, "1,dark,0,x\n2,light,0,x\n4,x,0,x\n")
    lines = dict[str, object]()

    def keep(run: Run) -> Outcome:
        lines[run.key] = run.task.get("rules")
        return Outcome()

    made.run(keep, clock=ManualClock(1_600_000_000.0))
    assert lines["2"] == [2, 4], "of keep, noise, empty, dark, licence"
    assert lines["4"] == [0, 2, 4]


def test_many_vetoes_of_a_rule_cost_the_next_units_nothing(tmp_path: Path) -> None:
    made = make(tmp_path, BEFORE, "".join(f"{n},dark,0,x\n" for n in range(100, 400)))
    run(made)
    made.write("runs.csv", RUNS + "".join(f"{n},dark,0,x\n" for n in range(100, 401)), mtime=1_550_000_000)
    with Conductor(
        made.load(), command="run", site=made.site(), clock=ManualClock(1_600_000_000.0)
    ) as conductor:
        asked = list[str]()
        conductor.ledger.db.set_trace_callback(asked.append)
        conductor.discover()
    assert made.states("fit")['["400"]'] == "vetoed"
    assert len([sql for sql in asked if "INTO found" not in sql]) < 100


def test_a_rebuilt_record_has_the_same_vetoes_once(tmp_path: Path) -> None:
    made = make(tmp_path, BEFORE, "1,dark,0,x\n2,dark,0,x\n3,old,0,x\n")
    run(made)
    with Ledger.open(made.root, readonly=True) as ledger:
        ask(ledger, Question("unveto", ["2"]))
    before = run(made)
    (made.root / ".penstock/ledger.sqlite").unlink()
    say(made, "ledger", "rebuild")
    assert fits(made) == before == {"1": "vetoed", "2": "done", "3": "done"}
    assert [e for e in history(made, "1") if e[0] == "vetoed"] == [("vetoed", "no light", "rule dark")]

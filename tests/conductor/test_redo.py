"""Redoing what is stale keeps the order of the stages."""

from pathlib import Path

from tests.conductor.conftest import HEAD, PATIENCE_S, Lab

from penstock.conductor import Conductor
from penstock.conductor.scope import Only
from penstock.conductor.staleness import AT_ONCE
from penstock.config import load
from penstock.ledger.units import ROOT

DEFINITION = """
[campaign]
name = "chain"
levels = ["file"]

[units]
files = "raw/{file}.txt"
settle = "0s"

[stage.copy]
each = "file"
command = ["sh", "-c", "sleep 0.05; cp $0 $1", "{path}", "{product}"]
products = "copy/{file}.txt"
version = "1"

[stage.sorted]
each = "file"
after = ["copy"]
command = ["sort", "-o", "{product}", "{inputs.copy}"]
products = "sorted/{file}.txt"
"""


def test_a_reader_of_what_is_made_again_waits_until_it_is_there(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    for number in range(8):
        (tmp_path / f"raw/{number}.txt").write_text("b\na\n")
    for version in ("1", "2"):
        (tmp_path / "penstock.toml").write_text(DEFINITION.replace('version = "1"', f'version = "{version}"'))
        with Conductor(load(tmp_path), command="run") as conductor:
            ending = conductor.run(stale=True)
            attempts = conductor.ledger.db.execute(
                "SELECT s.name, count(*) FROM attempt a JOIN stage s ON s.id = a.stage GROUP BY 1"
            ).fetchall()
        assert ending.code == 0
        made = {row[0]: row[1] for row in attempts}
        assert made == {"copy": 8 * int(version), "sorted": 8}, "equal copies need no second sorting"


HELD = """
[stage.copy]
each = "unit"
command = ["sh", "-c", "echo $0 >> runs; while test -e hold; do sleep 0.02; done; echo $0 > $1", "{unit}", "{product}"]
products = "copy/{unit}.txt"
version = "1"
"""


def cancel_while_redone(lab: Lab) -> None:
    """Make two, change the definition, and cancel one while `run --stale` of another process works on it."""
    lab.define(HELD, units=2)
    assert lab.run().code == 0
    lab.define(HELD.replace('version = "1"', 'version = "2"'))
    lab.write("hold", "")
    other = lab.start("run", "--stale")
    lab.wait_until(lambda: lab.runs()["u1"] == 2, "u1 is being redone")
    lab.ask("cancel", unit=lab.unit("u1"))
    lab.wait_until(lambda: lab.task("copy", "u1")["state"] == "failed", "u1 is cancelled")
    (lab.root / "hold").unlink()
    assert other.wait(PATIENCE_S) == 1


def test_a_task_that_was_cancelled_while_it_was_redone_is_taken_by_the_next_run_of_all_that_is_stale(
    lab: Lab,
) -> None:
    cancel_while_redone(lab)
    assert (lab.states("copy"), lab.faults()) == ({"failed": 1, "done": 1}, [])
    assert lab.run(stale=True).lines == ["all done: 2 tasks"]
    assert lab.runs() == {"u1": 3, "u2": 2}
    assert lab.faults() == []


def test_a_run_that_does_not_ask_for_what_is_stale_leaves_it_cancelled(lab: Lab) -> None:
    cancel_while_redone(lab)
    assert lab.run().code == 1
    assert lab.states("copy") == {"failed": 1, "done": 1}


def test_a_run_of_other_stale_units_leaves_it_cancelled(lab: Lab) -> None:
    cancel_while_redone(lab)
    with lab.conductor() as conductor:
        conductor.run(stale=True, only=Only(find=lambda ledger: [lab.unit("u2")]))
    assert lab.states("copy") == {"failed": 1, "done": 1}


def test_what_was_cancelled_before_it_was_ever_done_is_not_stale(lab: Lab) -> None:
    lab.define(HELD, units=1)
    lab.write("hold", "")
    other = lab.start("run")
    lab.wait_until(lambda: lab.runs()["u1"] == 1, "u1 runs")
    lab.ask("cancel", all=True)
    assert other.wait(PATIENCE_S) == 1
    (lab.root / "hold").unlink()
    assert lab.run(stale=True).code == 1
    assert lab.runs() == {"u1": 1}


NIGHTS = HEAD.replace('levels = ["unit"]', 'levels = ["night", "unit"]')
QUICK = """
[stage.f]
each = "unit"
python = "lab:f"
version = "1"
"""


def test_many_that_may_not_be_redone_do_not_hide_those_that_may(lab: Lab) -> None:
    units = [("cloudy", n) for n in range(AT_ONCE + 1)] + [("clear", 1)]
    lab.write("units.csv", "night,unit\n" + "".join(f"{night},u{n}\n" for night, n in units))
    lab.write("lab.py", "def f(task):\n    return None\n")
    assert lab.define(QUICK, head=NIGHTS).run().code == 0
    lab.ask("veto", unit=lab.unit("cloudy"), why="clouds")
    lab.define(QUICK.replace('version = "1"', 'version = "2"'), head=NIGHTS)
    assert lab.run(stale=True).code == 0
    assert lab.outcomes("f", "clear", "u1") == ["ok", "ok"]
    assert lab.outcomes("f", "cloudy", "u0") == ["ok"]


MERGED = """
[stage.copy]
each = "unit"
command = ["sh", "-c", "test $0$2 != u22 || sleep 1.5; sleep 0.6; echo $0 > $1", "{unit}", "{product}", "{param.edition}"]
products = "copy/{unit}.txt"
params = { edition = 1 }
[stage.look]
each = "unit"
after = ["copy"]
command = ["sh", "-c", "echo look-$0-$2 >> runs; cp $3 $1", "{unit}", "{product}", "{param.edition}", "{inputs.copy}"]
products = "look/{unit}.txt"
params = { edition = 1 }
[stage.merge]
each = "campaign"
after = ["look"]
command = ["sh", "-c", "echo merge-$1 >> runs; touch $0", "{product}", "{param.edition}"]
products = "all.txt"
params = { edition = 1 }
"""


def test_a_merge_waits_for_members_that_are_stale_and_whose_upstreams_are_being_redone(lab: Lab) -> None:
    assert lab.define(MERGED, units=2).run().code == 0
    lab.define(MERGED.replace("edition = 1", "edition = 2"))
    assert lab.run(stale=True).code == 0
    again = lab.read("runs").splitlines()[3:]
    assert again == ["look-u1-2", "look-u2-2", "merge-2"]


def test_a_merge_does_not_wait_for_a_stale_member_that_cannot_be_redone(lab: Lab) -> None:
    assert lab.define(MERGED, units=2).run().code == 0
    lab.ask("veto", stage="look", unit=lab.unit("u2"), why="broken")
    lab.define(MERGED.replace("edition = 1", "edition = 2"))
    lab.run(stale=True)
    assert lab.runs() == {"look-u1-1": 1, "look-u2-1": 1, "merge-1": 1, "look-u1-2": 1, "merge-2": 1}


FAILING = MERGED.replace('"echo merge-$1 >> runs; ', '"echo merge-$1 >> runs; test $1 = 2 && ')


def fail_the_merge(lab: Lab) -> None:
    """Make two copies, look at them, and fail at merging; then change the definition, and retry."""
    assert lab.define(FAILING, units=2).run().code == 1
    lab.define(FAILING.replace("edition = 1", "edition = 2"))
    lab.ask("retry", stage="merge", unit=ROOT)
    (lab.root / "runs").write_text("")


def test_what_was_never_made_waits_for_inputs_that_will_be_redone_first(lab: Lab) -> None:
    fail_the_merge(lab)
    assert lab.run(stale=True).code == 0
    assert lab.read("runs").splitlines() == ["look-u1-2", "look-u2-2", "merge-2"]


def test_what_was_never_made_does_not_wait_for_what_is_stale_and_stays_so(lab: Lab) -> None:
    fail_the_merge(lab)
    assert lab.run().code == 0
    assert lab.runs() == {"merge-2": 1}


def test_what_was_never_made_does_not_wait_for_what_cannot_be_redone(lab: Lab) -> None:
    fail_the_merge(lab)
    for stage in ("copy", "look"):
        lab.ask("veto", stage=stage, unit=lab.unit("u2"), why="broken")
    lab.run(stale=True)
    assert lab.read("runs").splitlines() == ["look-u1-2", "merge-2"]

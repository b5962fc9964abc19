"""Stages and their dependence, with real runners: chains, merges, followers, expands."""

CHAIN = """
[stage.a]
each = "unit"
command = ["sh", "-c", "echo $1 > $0", "{product}", "{unit}"]
products = "a/{unit}"
[stage.b]
each = "unit"
after = "a"
command = ["sh", "-c", "cat $1 $1 > $0", "{product}", "{inputs.a}"]
products = "b/{unit}"
[stage.c]
each = "unit"
after = "b"
command = ["cp", "{inputs.b}", "{product}"]
products = "c/{unit}"
"""

MERGE = """
[stage.a]
each = "unit"
command = ["sh", "-c", "echo $1 > $0", "{product}", "{unit}"]
products = "a/{unit}"
[stage.all]
each = "campaign"
after = "a"
command = ["sh", "-c", "echo >> runs; shift; cat \\"$@\\" > $0", "{product}", "-", "{inputs.a}"]
products = "all"
"""


def test_a_chain_over_one_unit_runs_to_its_end(lab):
    assert lab.define(CHAIN, units=1).run().code == 0
    assert lab.read("c/u1") == "u1\nu1\n"


def test_a_merge_has_all_members(lab):
    assert lab.define(MERGE, units=5).run().code == 0
    assert sorted(lab.read("all").split()) == ["u1", "u2", "u3", "u4", "u5"]


def test_late_members_redo_a_merge_and_nothing_else(lab):
    lab.define(MERGE, units=2).run()
    made = (lab.root / "a/u1").stat().st_mtime_ns
    lab.define(MERGE, units=3)
    assert lab.run().code == 0
    assert sorted(lab.read("all").split()) == ["u1", "u2", "u3"]
    assert (lab.root / "a/u1").stat().st_mtime_ns == made
    assert lab.run().lines == ["all done: 4 tasks"]
    assert lab.runs() == {"": 2}


FOLLOWER = """
[stage.a]
each = "unit"
command = ["sh", "-c", "[ $1 != u2 ] || [ -e mended ] || exit 3; echo $1 $PPID > $0", "{product}", "{unit}"]
products = "a/{unit}"
[stage.b]
each = "unit"
with = "a"
command = ["sh", "-c", "echo >> runs; cat $1 > $0; echo $PPID >> $0", "{product}", "{inputs.a}"]
products = "b/{unit}"
"""


def test_a_follower_runs_right_after_its_leader_and_not_after_a_failed_one(lab):
    assert lab.define(FOLLOWER, units=3).run().code == 1
    assert lab.states("a") == {"done": 2, "failed": 1}
    assert lab.states("b") == {"done": 2, "blocked": 1}
    unit, leader, follower = lab.read("b/u1").split()
    assert (unit, leader) == ("u1", follower)


def test_a_retry_of_a_chain_begins_at_the_first_link_that_is_not_done(lab):
    lab.define(FOLLOWER, units=3).run()
    lab.write("mended", "")
    lab.ask("retry", all=True)
    assert lab.run().code == 0
    assert lab.states("b") == {"done": 3}
    assert lab.runs() == {"": 3}
    assert lab.outcomes("a", "u1") == ["ok"]


def test_a_follower_that_failed_is_tried_again_without_its_leader(lab):
    failing = FOLLOWER.replace("echo >> runs;", "echo >> runs; [ -e again ] || exit 1;")
    assert lab.define(failing, units=1).run().code == 1
    lab.write("again", "")
    lab.ask("retry", stage="b")
    assert lab.run().code == 0
    assert (lab.outcomes("a", "u1"), lab.outcomes("b", "u1")) == (["ok"], ["error", "error", "ok"])


EXPAND = """
[stage.detect]
each = "unit"
python = "lab:detect"
expands = "roi"
[stage.fit]
each = "roi"
command = ["sh", "-c", "echo $1 > $0", "{product}", "{unit}-{roi}-{area}"]
products = "fit/{unit}/{roi}"
[stage.sum]
each = "unit"
after = "fit"
command = ["sh", "-c", "shift; cat \\"$@\\" > $0", "{product}", "-", "{inputs.fit}"]
products = "sum/{unit}"
[stage.all]
each = "campaign"
after = "sum"
command = ["sh", "-c", "shift; cat \\"$@\\" > $0", "{product}", "-", "{inputs.sum}"]
products = "all"
"""
DETECT = """
from pathlib import Path
def detect(task):
    for roi in range(1, 1 + int(Path("rois").read_text())):
        task.expand(roi=roi, area=10 * roi)
"""


def test_a_stage_that_expands_makes_units_and_groups_wait_for_them(lab):
    head = '[campaign]\nname = "lab"\nlevels = ["unit", "roi"]\n[units]\ntable = "units.csv"\n'
    lab.define(EXPAND, head=head, units=2)
    lab.write("lab.py", DETECT)
    lab.write("rois", "3")
    assert lab.run().code == 0
    assert lab.states("fit") == {"done": 6}
    assert sorted(lab.read("all").split()) == sorted(f"u{n}-{r}-{10 * r}" for n in (1, 2) for r in (1, 2, 3))


TWO_FOLLOWERS = """
[stage.fit]
each = "unit"
command = ["cp", "units.csv", "{product}"]
products = "fit/{unit}"
[stage.draw]
each = "unit"
with = "fit"
command = ["cp", "{inputs.fit}", "{product}"]
products = "drawn/{unit}"
[stage.check]
each = "unit"
with = "fit"
command = ["cp", "{inputs.fit}", "{product}"]
products = "checked/{unit}"
[stage.tell]
each = "unit"
with = "check"
command = ["cp", "{inputs.check}", "{product}"]
products = "told/{unit}"
"""


def test_several_stages_may_follow_the_same_one(lab):
    lab.define(TWO_FOLLOWERS, units=3)
    assert lab.run().code == 0
    for stage in ("fit", "draw", "check", "tell"):
        assert lab.states(stage) == {"done": 3}
    told = lab.rows(
        "SELECT s.name, a.outcome, count(*) n FROM attempt a JOIN stage s ON s.id = a.stage GROUP BY 1, 2"
    )
    assert [tuple(row) for row in told] == [(s, "ok", 3) for s in ("check", "draw", "fit", "tell")]
    assert lab.rows("SELECT count(*) FROM job")[0][0] <= 2, (
        "no runner had to end before another one did the rest"
    )

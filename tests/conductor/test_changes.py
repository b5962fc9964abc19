"""Units that come, change, go and return, and what people ask for meanwhile."""

import os
import shutil

import pytest

from penstock.host import start_time

FILES = """\
[campaign]
name = "lab"
levels = ["file"]
[units]
files = "in/{file}.txt"
settle = "0s"
[site.local]
cores = 2
"""
COPY = """
[stage.a]
each = "file"
command = ["sh", "-c", "echo a-$2 >> runs; cat $1 > $0", "{product}", "{path}", "{file}"]
products = "a/{file}"
[stage.b]
each = "file"
after = "a"
command = ["sh", "-c", "echo b-$(basename $1) >> runs; sort $1 > $0", "{product}", "{inputs.a}"]
products = "b/{file}"
[stage.all]
each = "campaign"
after = "b"
command = ["sh", "-c", "echo all >> runs; shift; cat \\"$@\\" > $0", "{product}", "-", "{inputs.b}"]
products = "all"
"""


def copied(lab, *names):
    for name in names:
        lab.write(f"in/{name}.txt", f"{name}\n")
    return lab.define(COPY, head=FILES)


def test_a_second_run_does_nothing(lab):
    copied(lab, "x", "y").run()
    before = lab.runs()
    assert lab.run().lines == ["all done: 5 tasks"]
    assert lab.runs() == before


def test_a_changed_definition_makes_stale_and_is_redone_when_asked(lab):
    copied(lab, "x", "y").run()
    lab.define(COPY.replace("cat $1 > $0", "cat $1 $1 > $0"), head=FILES)
    ending = lab.run()
    assert any("stale" in line and "`penstock run --stale`" in line for line in ending.lines)
    assert lab.task("a", "x")["stale"] == "the definition changed"
    assert lab.read("a/x") == "x\n"
    assert lab.run(stale=True).code == 0
    assert lab.read("all") == "x\nx\ny\ny\n"
    assert lab.runs() == {"a-x": 2, "a-y": 2, "b-x": 2, "b-y": 2, "all": 2}


def test_a_changed_input_makes_its_own_task_stale_only(lab):
    copied(lab, "x", "y").run()
    lab.write("in/x.txt", "new x\n")
    lab.run()
    assert "2 → 6 bytes" in lab.task("a", "x")["stale"]
    assert lab.task("a", "y")["stale"] is None
    assert lab.run(stale=True).code == 0
    assert lab.read("all") == "new x\ny\n"
    assert lab.runs() == {"a-x": 2, "a-y": 1, "b-x": 2, "b-y": 1, "all": 2}


def test_an_equal_product_makes_nothing_stale(lab):
    copied(lab, "x", "y").run()
    os.utime(lab.root / "in/x.txt", (1, 1))
    assert lab.run(stale=True).code == 0
    assert lab.runs() == {"a-x": 2, "a-y": 1, "b-x": 1, "b-y": 1, "all": 1}


def test_a_file_that_was_done_and_goes_still_counts(lab):
    copied(lab, *"vwxyz").run()
    (lab.root / "in/x.txt").unlink()
    assert lab.run().code == 0
    assert lab.states("a") == {"done": 5}
    assert lab.runs()["all"] == 1


def test_a_file_that_goes_before_its_turn_is_gone_and_comes_back(lab):
    copied(lab, *"vwxyz")
    with lab.conductor() as conductor:
        conductor.discover()
    (lab.root / "in/x.txt").unlink()
    assert lab.run().code == 0
    assert lab.states("a") == {"done": 4, "gone": 1}
    assert lab.read("all") == "v\nw\ny\nz\n"
    lab.write("in/x.txt", "x\n")
    assert lab.run().code == 0
    assert lab.states("a") == {"done": 5}
    assert sorted(lab.read("all").split()) == list("vwxyz")


def test_what_a_run_leaves_in_its_own_folder_is_for_its_owner_alone(lab):
    copied(lab, "x").run()
    files = [path for path in (lab.root / ".penstock").rglob("*") if path.is_file()]
    assert len(files) > 3
    assert [path.name for path in files if path.stat().st_mode & 0o077] == []


def test_a_lost_root_changes_nothing_and_is_told(lab):
    copied(lab, "x", "y").run()
    shutil.move(lab.root / "in", lab.root / "unmounted")
    lab.run()
    assert lab.states("a") == {"done": 2}
    assert any(
        "does not exist: no unit was marked as gone" in row["why"]
        for row in lab.rows("SELECT why FROM problem")
    )


def test_many_files_missing_at_once_are_not_believed_unless_a_person_says_so(lab):
    copied(lab, *"uvwxyz")
    with lab.conductor() as conductor:
        conductor.discover()
    for name in "uvwx":
        (lab.root / f"in/{name}.txt").unlink()
    with lab.conductor() as conductor:
        conductor.discover()
    assert lab.states("a") == {"ready": 6}
    assert lab.run(accept_gone=True).code == 0
    assert lab.states("a") == {"done": 2, "gone": 4}


@pytest.mark.parametrize(("there", "removed", "believed"), [("xyz", "xy", True), ("xyz", "xyz", False)])
def test_a_few_files_may_be_removed_but_not_all_of_them(lab, there, removed, believed):
    copied(lab, *there)
    with lab.conductor() as conductor:
        conductor.discover()
    for name in removed:
        (lab.root / f"in/{name}.txt").unlink()
    with lab.conductor() as conductor:
        conductor.discover()
    assert lab.states("a") == ({"ready": 1, "gone": 2} if believed else {"ready": 3})


def test_a_run_waits_for_a_file_that_is_not_at_rest(lab):
    lab.write("in/x.txt", "x\n")
    lab.define(COPY, head=FILES.replace('"0s"', '"1s"'))
    assert lab.run().code == 0
    assert lab.read("all") == "x\n"
    made = (lab.root / "a/x").stat().st_mtime - (lab.root / "in/x.txt").stat().st_mtime
    assert made >= 1


def test_a_vetoed_unit_is_left_out_until_the_veto_is_lifted(lab):
    copied(lab, "x", "y")
    with lab.conductor() as conductor:
        conductor.discover()
    assert "vetoed" in lab.ask("veto", unit=lab.unit("x"), why="a truck passed")
    assert lab.run().code == 0
    assert (lab.states("a"), lab.states("b")) == ({"vetoed": 1, "done": 1}, {"vetoed": 1, "done": 1})
    assert lab.task("a", "x")["why"] == "vetoed by me@here: a truck passed"
    assert lab.read("all") == "y\n"
    lab.ask("unveto", unit=lab.unit("x"))
    assert lab.run().code == 0
    assert sorted(lab.read("all").split()) == ["x", "y"]


def test_a_veto_holds_for_a_unit_that_comes_back(lab):
    copied(lab, *"vwxyz")
    with lab.conductor() as conductor:
        conductor.discover()
    lab.ask("veto", unit=lab.unit("x"), why="noise")
    (lab.root / "in/x.txt").unlink()
    lab.run()
    lab.write("in/x.txt", "x\n")
    assert lab.run().code == 0
    assert lab.states("a") == {"vetoed": 1, "done": 4}


def test_what_is_cancelled_while_it_runs_is_stopped_and_comes_back_when_asked(lab):
    lab.write("in/x.txt", "x\n")
    lab.define(COPY.replace("cat $1 > $0", "[ -e mended ] || sleep 30; cat $1 > $0"), head=FILES)
    run = lab.start("run")
    lab.wait_until(lambda: lab.runs(), "x runs")
    assert lab.ask("cancel", all=True).startswith("asked:")
    said, _ = run.communicate(timeout=20)
    assert run.returncode == 1
    assert "cancelled by me@here" in said
    assert lab.states("a") == {"failed": 1}
    lab.write("mended", "")
    lab.ask("retry", all=True)
    assert lab.run().code == 0
    assert lab.read("all") == "x\n"


def test_what_is_cancelled_while_nobody_conducts_is_stopped_by_the_next_conductor(lab):
    lab.write("in/x.txt", "x\n")
    lab.write("in/y.txt", "y\n")
    lab.define(
        COPY.replace("cat $1 > $0", "[ $2 = y ] || (echo $$ > pid; exec sleep 60); cat $1 > $0"), head=FILES
    )
    run = lab.start("run")
    lab.wait_until(lambda: len(lab.runs()) == 3, "x runs, y is through")
    run.kill()
    run.wait()
    lab.ask("cancel", unit=lab.unit("x"))
    pid = int(lab.read("pid"))
    assert start_time(pid)
    assert lab.run().code == 1
    assert not start_time(pid)
    assert lab.states("b") == {"done": 1, "blocked": 1}
    assert lab.states("all") == {"blocked": 1}


def test_a_python_task_that_is_cancelled_is_stopped_and_its_worker_replaced(lab):
    lab.write("lab.py", "import time\ndef f(task):\n    open('runs', 'a').write(task.key[0] + '\\n')\n"
              "    time.sleep(60 if task.key[0] == 'x' else 0)\n")  # fmt: skip
    lab.write("in/x.txt", "x\n")
    lab.write("in/y.txt", "y\n")
    lab.define('[stage.p]\neach = "file"\npython = "lab:f"\n', head=FILES.replace("cores = 2", "cores = 1"))
    run = lab.start("run")
    lab.wait_until(lambda: lab.runs()["x"], "x runs")
    lab.ask("cancel", unit=lab.unit("x"))
    run.communicate(timeout=30)
    assert lab.states("p") == {"failed": 1, "done": 1}


def test_a_failed_member_blocks_its_group_until_it_is_retried(lab):
    lab.write("in/x.txt", "x\n")
    lab.write("in/y.txt", "y\n")
    lab.define(COPY.replace("cat $1 > $0", "[ $2 = y -o -e mended ] && cat $1 > $0"), head=FILES)
    assert lab.run().code == 1
    assert lab.states("all") == {"blocked": 1}
    lab.write("mended", "")
    lab.ask("retry", unit=lab.unit("x"))
    assert lab.run().code == 0
    assert sorted(lab.read("all").split()) == ["x", "y"]

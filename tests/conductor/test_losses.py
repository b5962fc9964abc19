"""Products that somebody removed or changed are noticed, and made again when asked; so is what one doubts."""

import json
import os
import shutil

from penstock.conductor.plan import plan
from penstock.config import load

HEAD = """\
[campaign]
name = "lab"
levels = ["night", "file"]
[units]
files = "in/{night}/{file}.txt"
settle = "0s"
[site.local]
cores = 2
"""
STAGES = """
[stage.a]
each = "file"
command = ["sh", "-c", "echo a-$2 >> runs; cat $1 mark > $0", "{product}", "{path}", "{file}"]
products = "a/{night}/{file}"
[stage.b]
each = "file"
after = "a"
command = ["sh", "-c", "echo b-$2 >> runs; sort $1 > $0", "{product}", "{inputs.a}", "{file}"]
products = "b/{file}"
[stage.tree]
each = "night"
after = "b"
command = ["sh", "-c", "echo tree-$2 >> runs; mkdir $0; cat $1 > $0/all", "{product}", "{inputs_file.b}", "{night}"]
products = { product = { path = "tree/{night}", folder = true } }
[stage.all]
each = "campaign"
after = "b"
command = ["sh", "-c", "echo all >> runs; shift; cat \\"$@\\" > $0", "{product}", "-", "{inputs.b}"]
products = "all"
"""
FILES = ("u", "v", "w", "x", "y", "z")


def made(lab):
    lab.write("mark", "1\n")
    for name in FILES:
        lab.write(f"in/{'one' if name < 'x' else 'two'}/{name}.txt", f"{name}\n")
    lab.define(STAGES, head=HEAD).run()
    (lab.root / "runs").unlink()
    return lab


def stale(lab):
    sql = "SELECT s.name || ' ' || u.key AS task, t.stale FROM task t JOIN stage s ON s.id = t.stage JOIN unit u"
    return dict(lab.rows(f"{sql} ON u.id = t.unit WHERE t.stale IS NOT NULL"))


def test_a_product_that_is_missing_makes_its_task_stale(lab):
    made(lab)
    (lab.root / "a/one/u").unlink()
    ending = lab.run()
    assert stale(lab) == {'a ["one","u"]': "product a/one/u is missing"}
    assert any("1 stale task" in line for line in ending.lines)
    assert lab.runs() == {}
    assert any("a/one/u is missing" in r.why for s in plan(load(lab.root)).stages for r in s.reasons)
    assert lab.run(stale=True).code == 0
    assert lab.runs() == {"a-u": 1}  # the same bytes: what is made from them stays


def test_what_is_made_from_other_bytes_follows(lab):
    made(lab)
    (lab.root / "a/one/u").unlink()
    lab.write("mark", "2\n")
    assert lab.run(stale=True).code == 0
    assert lab.runs() == {"a-u": 1, "b-u": 1, "tree-one": 1, "all": 1}
    assert "2" in lab.read("all")


def test_a_product_that_was_changed_is_told_how(lab):
    made(lab)
    lab.write("b/x", "other than made\n")
    os.utime(lab.root / "b/y", (1, 1))
    shutil.rmtree(lab.root / "tree/two")
    lab.run()
    assert stale(lab) == {
        'b ["two","x"]': "product b/x changed: 4 → 16 bytes",
        'b ["two","y"]': "product b/y was rewritten",
        'tree ["two"]': "product tree/two is missing",
    }
    assert lab.run(stale=True).code == 0
    assert lab.runs() == {"b-x": 1, "b-y": 1, "tree-two": 1}
    assert stale(lab) == {}


def test_a_product_that_comes_back_is_no_longer_missed(lab):
    made(lab)
    (lab.root / "b/x").rename(lab.root / "kept")
    lab.run()
    assert stale(lab)
    (lab.root / "kept").rename(lab.root / "b/x")
    lab.run()
    assert stale(lab) == {}


def test_a_product_that_was_moved_away_and_linked_is_the_same(lab):
    made(lab)
    (lab.root / "b/x").rename(lab.root / "archive")
    (lab.root / "b/x").symlink_to("../archive")
    lab.run()
    assert stale(lab) == {}


def test_the_mark_stays_whatever_becomes_of_its_input(lab):
    made(lab)
    (lab.root / "b/u").unlink()
    lab.run()
    text = lab.read("in/one/u.txt")
    for content in ("other\n", text):
        lab.write("in/one/u.txt", content)
        os.utime(lab.root / "in/one/u.txt", (1, 1))
        lab.run()
        assert stale(lab)['b ["one","u"]'] == "product b/u is missing"


def test_many_at_once_are_a_disk_that_is_not_mounted(lab):
    made(lab)
    (lab.root / "a").rename(lab.root / "unmounted")
    ending = lab.run()
    assert stale(lab) == {}
    assert any("6 are missing at once" in line for line in ending.lines)
    assert ending.code == 1
    with lab.conductor(accept_gone=True) as conductor:
        assert conductor.run(stale=True).code == 0
    assert lab.runs() == {f"a-{name}": 1 for name in FILES}


def test_many_that_were_changed_are_on_a_disk_that_is_there(lab):
    made(lab)
    for name in FILES:
        lab.write(f"a/{'one' if name < 'x' else 'two'}/{name}", "of another size, by hand\n")
    lab.run()
    assert len([task for task in stale(lab) if task.startswith("a ")]) == len(FILES)


def test_redo_makes_done_tasks_again_and_what_follows_from_other_bytes(lab):
    made(lab)
    lab.write("mark", "2\n")
    answer = lab.ask("redo", units=[lab.unit("one")], stage="a", why="the lamp was off")
    assert answer == "3 done tasks will be redone, and up to 5 tasks downstream if products change"
    assert stale(lab)['a ["one","u"]'] == "requested by me@here: the lamp was off"
    assert lab.run().code == 0
    assert lab.runs() == {"a-u": 1, "a-v": 1, "a-w": 1, "b-u": 1, "b-v": 1, "b-w": 1, "tree-one": 1, "all": 1}
    assert stale(lab) == {}


def test_redo_of_equal_bytes_leaves_the_rest_as_it_is(lab):
    made(lab)
    lab.ask("redo", units=[lab.unit("two", "x")], stage="a")
    assert lab.run().lines == ["all done: 15 tasks"]
    assert lab.runs() == {"a-x": 1}
    assert stale(lab) == {}


def test_redo_by_a_condition_and_by_people(lab):
    made(lab)
    told = lab.command("redo", "--stage", "b", "--where", "file == 'v'", "--dry-run")
    assert "1 done task will be redone" in told.stdout
    assert "b one/v" in told.stdout
    assert stale(lab) == {}
    assert lab.command("redo", "--stage", "b", "--where", "file == 'v'", "--why", "doubt").returncode == 0
    assert '"action": "redo"' in lab.read(".penstock/actions.jsonl")
    assert lab.run().code == 0
    assert lab.runs() == {"b-v": 1}


def test_redo_answers_programs_in_json(lab):
    made(lab)
    told = lab.command("redo", "one/u", "--stage", "b", "--why", "doubt", "--json")
    assert json.loads(told.stdout) == {
        "asked": {"units": ["one/u"], "stage": "b", "why": "doubt"},
        "answer": "1 done task will be redone, and up to 2 tasks downstream if products change",
    }
    assert list(stale(lab)) == ['b ["one","u"]']


def test_redo_of_what_failed_says_retry(lab):
    made(lab)
    answer = lab.ask("redo", units=[lab.unit("one", "u")], where="file == 'nobody'")
    assert "for failed tasks use `penstock retry`" in answer

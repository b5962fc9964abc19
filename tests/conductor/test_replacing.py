"""What penstock did not make stays, what it made is no input, and paths go over from stage to stage."""

import os

from penstock.conductor.plan import plan
from penstock.conductor.staleness import redo_stale
from penstock.config import load

HEAD = """\
[campaign]
name = "lab"
levels = ["file"]
[units]
files = "in/{file}.txt"
settle = "0s"
{more}
[site.local]
cores = 2
"""
COPY = """
[stage.{name}]
each = "file"
command = ["sh", "-c", "echo {name}-$2 >> runs; cat $1 > $0", "{{product}}", "{{path}}", "{{file}}"]
products = "{path}"
"""


def defined(lab, *, name="a", path="out/{file}.txt", more="", rest=""):
    return lab.define(COPY.format(name=name, path=path) + rest, head=HEAD.replace("{more}", more))


def with_units(lab, *names):
    for name in names:
        lab.write(f"in/{name}.txt", f"{name}\n")
    return lab


def test_a_file_of_somebody_else_is_planned_around_and_left_alone(lab):
    defined(with_units(lab, *"uvwxyz"))
    for name in "uvwxy":
        lab.write(f"out/{name}.txt", "mine\n")
    (stage,) = plan(load(lab.root)).stages
    assert stage.taken == [f"out/{name}.txt" for name in "uvwxy"]
    assert "5 products already present but not made by penstock" in plan(load(lab.root)).to_text()
    ending = lab.run()
    assert ending.code == 1
    assert any("out/u.txt already exists" in line and "--overwrite" in line for line in ending.lines)
    assert lab.states("a") == {"failed": 5, "done": 1}
    assert {lab.read(f"out/{name}.txt") for name in "uvwxy"} == {"mine\n"}
    assert lab.runs() == {"a-z": 1}


def test_overwrite_is_for_those_who_mean_it(lab):
    defined(with_units(lab, "x"))
    lab.write("out/x.txt", "mine\n")
    assert lab.run().code == 1
    with lab.conductor(overwrite=True) as conductor:
        assert conductor.run().code == 0
    assert lab.read("out/x.txt") == "x\n"


def test_a_run_after_the_file_was_moved_away_makes_the_product(lab):
    defined(with_units(lab, "x", "y"))
    lab.write("out/x.txt", "mine\n")
    assert lab.run().code == 1
    (lab.root / "out/x.txt").rename(lab.root / "kept.txt")
    assert plan(load(lab.root)).stages[0].tasks["ready"] == 1
    assert lab.run().code == 0
    assert lab.runs() == {"a-x": 1, "a-y": 1}


def test_an_input_is_not_even_overwritten_then(lab):
    defined(with_units(lab, "x", "y"))
    lab.write("out/z.txt", "mine\n")
    os.link(lab.root / "in/x.txt", lab.root / "out/x.txt")
    with lab.conductor(overwrite=True) as conductor:
        ending = conductor.run()
    assert any("out/x.txt is an input of this campaign" in line for line in ending.lines)
    assert lab.states("a") == {"failed": 1, "done": 1}
    assert os.path.samefile(lab.root / "in/x.txt", lab.root / "out/x.txt")


def test_nor_through_a_folder_that_was_linked_meanwhile(lab):
    defined(with_units(lab, "x", "y"), path="night/{file}/f.txt")
    (lab.root / "night").mkdir()
    lab.write("in/f.txt", "raw\n")
    (lab.root / "night/x").symlink_to("../in")
    with lab.conductor(overwrite=True) as conductor:
        conductor.run()
    assert lab.read("in/f.txt") == "raw\n"
    assert lab.task("a", "x")["why"].startswith("not retried: night/x/f.txt is an input")
    assert lab.states("a") == {"failed": 1, "done": 2}


def test_a_folder_with_inputs_in_it_is_not_replaced_by_a_folder_product(lab):
    with_units(lab, "x")
    stage = """
    [stage.tree]
    each = "campaign"
    command = ["mkdir", "{product}"]
    products = { product = { path = "in", folder = true } }
    """
    lab.define(stage, head=HEAD.replace("{more}", ""))
    with lab.conductor(overwrite=True) as conductor:
        ending = conductor.run()
    assert any("in is an input of this campaign" in line for line in ending.lines)
    assert lab.read("in/x.txt") == "x\n"


def test_a_product_of_the_record_is_never_a_unit(lab):
    defined(with_units(lab, "x"), path="in/{file}_out.txt", more='exclude = ["*_out.txt"]')
    assert lab.run().code == 0
    defined(lab, path="in/{file}_new.txt", more='exclude = ["*_new.txt"]')
    for _ in range(2):
        assert lab.run(stale=True).code == 0
    assert sorted(os.listdir(lab.root / "in")) == ["x.txt", "x_new.txt", "x_out.txt"]
    assert lab.states("a") == {"done": 1}


def test_not_through_a_linked_folder_either(lab):
    (lab.root / "in").mkdir()
    (lab.root / "by-link").symlink_to("in")
    defined(with_units(lab, "x"), path="by-link/{file}_out.txt", more='exclude = ["*_out.txt"]')
    assert lab.run().code == 0
    defined(lab, path="elsewhere/{file}.txt")
    assert lab.run().code == 0
    assert lab.states("a") == {"done": 1}


def test_what_lay_at_a_path_before_may_be_replaced_when_it_is_a_product_again(lab):
    defined(with_units(lab, "x"), path="one/{file}.txt").run()
    defined(lab, path="two/{file}.txt").run(stale=True)
    lab.write("in/x.txt", "new\n")
    assert defined(lab, path="one/{file}.txt").run(stale=True).code == 0
    assert (lab.read("one/x.txt"), lab.read("two/x.txt")) == ("new\n", "x\n")


def test_a_renamed_stage_keeps_what_was_done(lab):
    defined(with_units(lab, "x", "y"), name="a").run()
    before = lab.runs()
    text = lab.read("penstock.toml").replace("[stage.a]", "[stage.copy]")
    lab.write("penstock.toml", text)
    assert lab.run().lines == ["all done: 2 tasks"]
    assert lab.runs() == before
    assert lab.states("copy") == {"done": 2}


def test_a_removed_stage_gives_its_paths_to_another(lab):
    defined(with_units(lab, "x", "y"), name="a").run()
    defined(lab, name="other")
    assert lab.run().code == 0
    assert lab.runs() == {"a-x": 1, "a-y": 1, "other-x": 1, "other-y": 1}


def test_a_removed_stage_that_returns_is_stale_where_its_path_was_taken(lab):
    defined(with_units(lab, "x"), name="a").run()
    defined(lab, name="other").run()
    defined(lab, name="a")
    assert lab.run().code == 0
    assert "another stage makes out/x.txt now" in lab.task("a", "x")["stale"]
    assert lab.run(stale=True).code == 0
    assert lab.runs() == {"a-x": 2, "other-x": 1}


def test_a_cancelled_task_is_not_stale_any_more(lab):
    defined(with_units(lab, "x")).run()
    lab.write("in/x.txt", "new\n")
    with lab.conductor() as conductor:
        conductor.crew.redo = True
        conductor.discover()
        redo_stale(conductor.ledger, conductor.crew.context.graph, conductor.crew.context.scope)
    lab.ask("cancel")
    assert lab.task("a", "x")["state"] == "failed"
    assert lab.task("a", "x")["stale"] is None
    lab.ask("retry")
    assert lab.run().code == 0
    assert lab.read("out/x.txt") == "new\n"

"""What lies where a product goes, and was not made by its task, is left alone."""

import os
import signal

import pytest

ASTRAY = """
def run(task):
    with open("out/a", "w") as file:
        file.write("mine")
"""


@pytest.mark.parametrize("make", ["file", "folder", "link"])
def test_a_task_does_not_begin_where_something_of_somebody_else_lies(lab, make):
    place = lab.root / "x"
    {"file": place.touch, "folder": place.mkdir, "link": lambda: place.symlink_to("nowhere")}[make]()
    before = os.lstat(place)
    end = lab.end(lab.shell(1, 'touch ran; : > "$P"', products=lab.product("x")))
    assert (end["o"], end["verdict"]) == ("unstarted", "permanent")
    assert end["why"] == ("x already exists and was not made by penstock: move it away, or use --overwrite")
    assert not (lab.root / "ran").exists()
    assert os.lstat(place) == before
    assert "clear" not in lab.of_kind("start")[0]
    assert lab.leftovers() == []


def test_the_other_tasks_of_the_batch_go_on(lab):
    (lab.root / "1").write_text("mine")
    lab.run([lab.shell(unit, ': > "$P"', products=lab.product(str(unit))) for unit in range(4)])
    assert {unit: end["o"] for unit, end in lab.ends().items()} == {
        0: "ok",
        1: "unstarted",
        2: "ok",
        3: "ok",
    }


def test_a_product_of_its_own_is_replaced(lab):
    (lab.root / "x").write_text("old")
    end = lab.end(lab.shell(1, 'printf new > "$P"', products=lab.product("x", replace=True)))
    assert end["o"] == "ok"
    assert (lab.root / "x").read_text() == "new"


def test_a_file_that_comes_while_the_task_runs_is_left_alone_and_said(lab):
    end = lab.end(lab.shell(1, 'printf mine > x; printf new > "$P"', products=lab.product("x")))
    assert (end["o"], end["verdict"]) == ("error", "permanent")
    assert end["why"] == "x was written under its final name: write to {product}"
    assert (lab.root / "x").read_text() == "mine"
    assert lab.leftovers() == []


@pytest.mark.parametrize("known", [False, True])
def test_a_command_that_writes_under_the_final_name_is_told_the_placeholder(lab, known):
    if known:
        (lab.root / "x").write_text("old")
    products = {"psd": {"path": "x", "replace": known}}
    end = lab.end(lab.command(1, "/bin/sh", "-c", "echo mine > x", products=products))
    assert (end["o"], end["verdict"]) == ("missing_product", "permanent")
    assert end["why"] == "x was written under its final name: write to {product.psd}"


@pytest.mark.parametrize(
    ("more", "outcome"), [("", "missing_product"), ("    task.product().touch()", "error")]
)
def test_a_function_that_writes_under_the_final_name_is_told_to_use_product(lab, more, outcome):
    lab.function(ASTRAY + more)
    (lab.root / "out").mkdir()
    end = lab.end(lab.python(1, products=lab.product("out/a")))
    assert (end["o"], end["verdict"]) == (outcome, "permanent")
    assert end["why"] == "out/a was written under its final name: write to task.product()"
    assert (lab.root / "out/a").read_text() == "mine"


def test_a_missing_product_beside_an_old_one_is_just_missing(lab):
    (lab.root / "x").write_text("old")
    end = lab.end(lab.shell(1, ":", products=lab.product("x", replace=True)))
    assert (end["o"], end.get("verdict")) == ("missing_product", None)
    assert "x" in end["why"]
    assert "final name" not in end["why"]


def test_of_a_set_of_products_all_are_published_or_none(lab):
    products = {"a": {"path": "one/a"}, "b": {"path": "two/b", "folder": True}, "c": {"path": "c"}}
    argv = ["/bin/sh", "-c", 'echo 1 > "$1"; mkdir "$2"; echo 3 > "$3"; echo mine > c', "sh"]
    refs = [{"ref": f"product.{name}"} for name in products]
    end = lab.end(lab.command(1, *argv, *refs, products=products))
    assert end["o"] == "error"
    assert end["products"] == {}
    assert os.listdir(lab.root / "one") == os.listdir(lab.root / "two") == []
    assert (lab.root / "c").read_text() == "mine\n"
    assert lab.leftovers() == []


def test_a_later_life_replaces_what_a_killed_one_may_have_published(lab):
    text = 'if [ -e begun ]; then echo new > "$P"; else echo half > x; touch begun; sleep 30; fi'
    lab.batch([lab.shell(1, text, products=lab.product("x"))])
    kill(lab, lambda: (lab.root / "begun").exists())
    assert lab.run([], "--native", "77").returncode == 0
    assert lab.ends(2)[1]["o"] == "ok"
    assert (lab.root / "x").read_text() == "new\n"


def test_a_later_life_does_not_replace_what_the_killed_one_found_there(lab):
    (lab.root / "x").write_text("mine")
    lab.batch(
        [
            lab.shell(1, ': > "$P"', products=lab.product("x")),
            lab.shell(2, 'touch begun; [ -e go ] || sleep 30; : > "$P"', products=lab.product("y")),
        ]
    )
    kill(lab, lambda: (lab.root / "begun").exists())
    lines = (lab.job / "1.1.jsonl").read_text().splitlines(True)
    (lab.job / "1.1.jsonl").write_text("".join(line for line in lines if '"e":"end"' not in line))
    (lab.root / "go").touch()
    assert lab.run([], "--native", "77").returncode == 0
    assert {unit: end["o"] for unit, end in lab.ends(2).items()} == {1: "unstarted", 2: "ok"}
    assert (lab.root / "x").read_text() == "mine"


def kill(lab, ready):
    process = lab.start("--native", "77")
    lab.wait_for(ready)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()

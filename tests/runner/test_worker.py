"""Forked workers: what a function finds there."""

import os
import subprocess

import pytest
from tests.pythons import FAR

from penstock.functions import find_function


def test_a_worker_imports_and_sets_up_once(lab):
    source = """
import os
open('imported', 'a').write('i')
def begin():
    open('set up', 'a').write('s')
def run(task):
    return os.getpid()
"""
    lab.function(source, setup="python_module:begin")
    lab.run([lab.python(unit) for unit in range(100)], workers=2)
    pids = {end["result"] for end in lab.ends().values()}
    assert len(pids) <= 2
    assert (lab.root / "imported").read_text() == "i" * len(pids)
    assert (lab.root / "set up").read_text() == "s" * len(pids)


def test_a_setup_that_fails_fails_the_task_and_is_tried_again(lab):
    source = """
import os
def begin():
    if not os.path.exists('go'):
        open('go', 'w')
        raise OSError('no model')
def run(task):
    return 1
"""
    lab.function(source, setup="python_module:begin")
    lab.run([lab.python(1), lab.python(2)])
    assert lab.ends()[1]["why"] == "OSError: no model"
    assert lab.ends()[2]["o"] == "ok"


def test_functions_of_several_stages_share_a_worker(lab):
    lab.function("import os\ndef run(task):\n    return os.getpid()", name="a")
    lab.function("import os\ndef run(task):\n    return os.getpid()", name="b")
    lab.run([lab.python(1, stage="a"), lab.python(2, stage="b")])
    assert lab.ends()[1]["result"] == lab.ends()[2]["result"]


def test_a_function_stands_in_the_campaign_with_its_environment(lab):
    source = """
import os
def run(task):
    here = os.getcwd()
    os.chdir('/')
    names = 'OMP', 'PENSTOCK', 'X'
    return [here, [os.environ.get(name) for name in names]]
"""
    lab.function(source)
    lab.spec["environment"] = {"OMP": "1"}
    lab.run([lab.python(1, env={"X": "x"}), lab.python(2)])
    mark = f"{lab.token}/1/1"
    assert lab.ends()[1]["result"] == [str(lab.root), ["1", mark, "x"]]
    assert lab.ends()[2]["result"] == [str(lab.root), ["1", mark, None]]


@pytest.mark.parametrize(("module", "place"), [("time", "sys.executable"), ("json", "json.__file__")])
def test_a_module_that_another_one_of_its_name_hides_is_told(lab, module, place):
    found = subprocess.check_output([FAR, "-c", f"import json, sys; print({place})"], text=True).strip()
    (lab.modules / f"{module}.py").write_text("def loads(task):\n    return 'own'\nsleep = loads\n")
    name = "sleep" if module == "time" else "loads"
    lab.stage("python", python=own_function(module, name), path=[str(lab.modules)])
    said = f"`import {module}` finds {found} instead of the campaign's {module}.py, which needs another name"
    assert lab.end(lab.python(1))["why"] == said


def test_a_module_of_the_campaign_may_be_a_link_and_its_folder_one_too(lab):
    (lab.root / "kept.py").write_text("def run(task):\n    return 'own'\n")
    (lab.modules / "linked.py").symlink_to(lab.root / "kept.py")
    (lab.root / "here").symlink_to(lab.modules)
    lab.stage("python", python=own_function("linked", "run"), path=[str(lab.root / "here")])
    assert lab.end(lab.python(1))["result"] == "own"


def own_function(module, name):
    return find_function(f"{module}:{name}", [f"{module}.py"]).deliver()


def test_commands_get_the_environment_and_the_mark(lab):
    lab.spec["environment"] = {"OMP": "1"}
    end = lab.end(
        lab.shell(
            1,
            'echo "$OMP $PENSTOCK $X"; cat',
            env={"X": ["a", {"ref": "product"}]},
            products=lab.product("y", optional=True),
        )
    )
    assert lab.log(end).startswith(f"1 {lab.token}/1/1 a{lab.root}")


def test_each_stage_has_its_own_environment(lab):
    source = "import os\ndef run(task):\n    return [os.environ.get('A'), os.environ.get('B')]"
    lab.spec["environment"] = {"A": "job"}
    lab.function(source, name="one", environment={"B": "one"})
    lab.function(source, name="two", environment={"A": "two"})
    lab.stage("three", environment={"B": "three"})
    tasks = [
        lab.python(1, stage="one"),
        lab.python(2, stage="two"),
        lab.python(3, stage="one", env={"A": "task"}),
    ]
    lab.run([*tasks, lab.python(4, stage="two"), lab.shell(5, 'echo "$A $B"', stage="three")])
    ends = lab.ends()
    assert [ends[unit]["result"] for unit in (1, 2, 3, 4)] == [
        ["job", "one"],
        ["two", None],
        ["task", "one"],
        ["two", None],
    ]
    assert lab.log(ends[5]) == "job three\n"


def test_a_task_knows_its_key_fields_params_and_inputs(lab):
    source = """
def run(task):
    assert task.key[0].year == 2020, task.key
    assert task.fields["begin"].isoformat() == "2020-01-17T03:04:05+00:00"
    assert task.params == {"window": 8}
    assert [path.name for path in task.inputs["many"]] == ["x", "y"]
    assert task.input("one").is_absolute()
    assert task.scratch is None
"""
    lab.function(source, levels=["begin"], types={"begin": "datetime"}, params={"window": 8})
    (lab.job / "inputs-abc.txt").write_text("x\ny\n")
    time = "2020-01-17T03:04:05Z"
    inputs = {"one": ["a.h5"], "many": {"list": "inputs-abc.txt", "count": 2}}
    end = lab.end(lab.python(1, key=[time], fields={"begin": time}, inputs=inputs))
    assert end["o"] == "ok", end["why"]


def test_a_function_expands_into_units_only_when_it_succeeds(lab):
    source = """
def run(task):
    task.expand(roi=3, area=1.5)
    task.expand(roi=4, area=2.5)
    assert task.key[0] == 1
"""
    lab.function(source, expands="roi")
    lab.run([lab.python(1), lab.python(2)])
    assert lab.ends()[1]["children"] == [[3, {"area": 1.5}], [4, {"area": 2.5}]]
    assert "children" not in lab.ends()[2]


def test_expanding_twice_into_one_value_is_an_error(lab):
    lab.function("def run(task):\n    task.expand(roi=3)\n    task.expand(roi=3)", expands="roi")
    assert lab.end(lab.python(1))["why"] == "the function expands twice into 3"


def test_more_children_than_an_event_holds_are_refused(lab):
    lab.function("def run(task):\n    for n in range(100_000):\n        task.expand(roi=n)", expands="roi")
    end = lab.end(lab.python(1))
    assert "100000 units" in end["why"]


def test_many_children_and_long_results_come_through(lab):
    lab.function(
        "def run(task):\n    [task.expand(roi=n) for n in range(40_000)]\n    return 'x' * 60_000",
        expands="roi",
    )
    lab.run([lab.python(unit) for unit in range(3)])
    for end in lab.ends().values():
        assert len(end["children"]) == 40_000
        assert len(end["result"]) == 60_000


def test_a_function_may_use_processes_of_its_own(lab):
    source = """
import multiprocessing
def run(task):
    with multiprocessing.get_context('fork').Pool(2) as pool:
        return sum(pool.map(abs, [-1, -2]))
"""
    lab.function(source)
    assert lab.end(lab.python(1))["result"] == 3


@pytest.mark.parametrize("ends", ["return", "raise ValueError('in the child')"])
def test_a_process_that_a_function_forked_never_works_for_the_runner(lab, ends):
    source = f"""
import os, time
def run(task):
    if task.key[0] == 1:
        if os.fork() == 0:
            {ends}
        time.sleep(0.1)
    task.product().write_text(str(task.key[0]))
"""
    lab.function(source)
    lab.run([lab.python(unit, products=lab.product(f"out/{unit}")) for unit in range(8)])
    assert [end["u"] for end in lab.of_kind("end")] == list(range(8))
    for unit, end in lab.ends().items():
        assert (end["o"], end["products"]["product"][0]) == ("ok", f"out/{unit}")
        assert (lab.root / f"out/{unit}").read_text() == str(unit)


def test_peak_memory_is_that_of_the_task(lab):
    lab.function("def run(task):\n    x = bytearray(task.params and 0 or task.key[0])\n    return len(x)")
    lab.run([lab.python(200_000_000), lab.python(1)])
    ends = lab.ends()
    assert ends[200_000_000]["rss"] > 200_000_000
    if os.access("/proc/self/clear_refs", os.W_OK):
        assert ends[1]["rss"] < 150_000_000

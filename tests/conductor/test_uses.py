"""Stale follows what a task used: no more, no less."""

import os

import pytest
from tests.conductor.test_old_records import stale

HEAD = """\
[campaign]
name = "lab"
levels = ["night", "run"]
[units]
files = "in/{night}/{run}.txt"
settle = "0s"
derive = { first = "run[:1]" }
[units.night]
table = "nights.csv"
derive = { half = "gain[:1]" }
[site.local]
cores = 2
"""
STAGES = {
    "argv": 'command = ["sh", "-c", "echo $1 > $0", "{product}", "{gain}"]',
    "shell": 'shell = true\ncommand = "echo {gain} > {product}"',
    "template": 'command = ["cp", "cfg", "{product}"]\nscratch = true\ntemplates = { cfg = "cfg.in" }',
    "derived": 'command = ["sh", "-c", "echo $1 > $0", "{product}", "{half}"]',
    "python": 'python = "lab:f"',
    "other": 'command = ["sh", "-c", "echo $1 > $0", "{product}", "{moon}"]',
    "file": 'command = ["cp", "{path}", "{product}"]',
}


@pytest.fixture
def nights(lab):
    """Two nights of one run each, and a stage for each way to use the fields of a night."""
    stages = "".join(
        f'[stage.{name}]\neach = "run"\nproducts = "{name}/{{night}}_{{run}}"\n{text}\n'
        for name, text in STAGES.items()
    )
    lab.define(stages, head=HEAD)
    lab.write("cfg.in", "gain {gain}\n")
    lab.write("lab.py", "def f(task): task.product().write_text(task.fields['gain'])\n")
    lab.write("nights.csv", "night,gain,moon\nn1,2.0,new\nn2,3.0,full\n")
    for run in ("in/n1/a.txt", "in/n2/b.txt"):
        lab.write(run, f"{run}\n")
    assert lab.run().code == 0
    return lab


def stale_stages(lab) -> dict[str, str]:
    return {name.split()[0]: why for name, why in stale(lab).items()}


def test_a_field_of_a_coarser_level_makes_stale_what_names_it(nights):
    nights.write("nights.csv", "night,gain,moon\nn1,7.0,new\nn2,3.0,full\n")
    nights.run()
    gain = "its night's gain changed: 2.0 → 7.0"
    assert {name.split()[1] for name in stale(nights)} == {'["n1","a"]'}
    assert stale_stages(nights) == {
        "argv": gain, "shell": gain, "template": gain, "python": f"{gain}, and 1 more",
        "derived": "its night's half changed: 2 → 7",
    }  # fmt: skip
    assert nights.run(stale=True).code == 0
    assert [nights.read(f"{stage}/n1_a") for stage in ("argv", "shell", "template", "derived", "python")] == [
        "7.0\n", "7.0\n", "gain 7.0\n", "7\n", "7.0",
    ]  # fmt: skip
    assert stale(nights) == {}


def test_a_function_is_given_the_fields_that_its_stage_names_and_no_others(lab):
    stage = (
        '[stage.given]\neach = "run"\npython = "lab:g"\nfields = ["half"]\nproducts = "given/{night}_{run}"\n'
    )
    lab.define(stage, head=HEAD)
    lab.write(
        "lab.py", "def g(task): task.product().write_text(' '.join(task.fields) + ' of ' + task.key[1])\n"
    )
    lab.write("nights.csv", "night,gain,moon\nn1,2.0,new\n")
    lab.write("in/n1/a.txt", "a\n")
    assert lab.run().code == 0
    assert (lab.root / "given/n1_a").read_text() == "half of a"
    lab.write("nights.csv", "night,gain,moon\nn1,2.5,full\n")
    lab.run()
    assert stale(lab) == {}
    lab.write("nights.csv", "night,gain,moon\nn1,7.5,full\n")
    lab.run()
    assert stale_stages(lab) == {"given": "its night's half changed: 2 → 7"}


def test_a_derived_field_counts_by_its_value(nights):
    nights.write("nights.csv", "night,gain,moon\nn1,2.5,new\nn2,3.0,full\n")
    nights.run()
    assert "derived" not in stale_stages(nights)
    assert "argv" in stale_stages(nights)


def test_columns_that_change_places_change_nothing(nights):
    nights.write("nights.csv", "moon,night,gain\nnew,n1,2.0\nfull,n2,3.0\n")
    assert nights.run().lines == ["all done: 14 tasks"]


def test_a_column_that_no_command_names_changes_nothing_for_commands(nights):
    nights.write("nights.csv", "night,gain,moon,wind\nn1,2.0,new,1\nn2,3.0,full,2\n")
    nights.run()
    assert stale_stages(nights) == {"python": "its night's wind is new: 2"}


def test_rows_in_another_order_and_written_in_another_way_change_nothing(nights):
    nights.write("nights.csv", 'night;gain;moon\n"n2";3.0;"full"\nn1;2.0;new\n')
    assert nights.run().lines == ["all done: 14 tasks"]


def test_a_field_that_is_back_to_what_it_was_is_stale_no_longer(nights):
    before = nights.read("nights.csv")
    nights.write("nights.csv", before.replace("2.0", "7.0"))
    nights.run()
    assert stale(nights)
    nights.write("nights.csv", before)
    nights.run()
    assert stale(nights) == {}


def test_a_file_counts_where_it_is_read(nights):
    nights.write("in/n1/a.txt", "longer\n")
    os.utime(nights.root / "in/n1/a.txt", (1, 1))
    nights.run()
    assert set(stale_stages(nights)) == set(STAGES)  # none of them stands after another that read it


def test_what_is_fed_by_others_uses_a_file_only_if_it_names_it(lab):
    stages = """
[stage.read]
each = "run"
command = ["sh", "-c", "wc -l < $1 > $0", "{product}", "{path}"]
products = "read/{night}_{run}"
[stage.fed]
each = "run"
after = "read"
command = ["cp", "{inputs.read}", "{product}"]
products = "fed/{night}_{run}_{first}"
[stage.named]
each = "run"
after = "read"
command = ["sh", "-c", "cat $1 > $0", "{product}", "in/{night}/{run}.txt"]
products = "named/{night}_{run}"
"""
    lab.define(stages, head=HEAD)
    lab.write("nights.csv", "night,gain,moon\nn1,2.0,new\n")
    lab.write("in/n1/a.txt", "one\n")
    lab.run()
    lab.write("in/n1/a.txt", "four\n")
    lab.run()
    assert set(stale_stages(lab)) == {"read", "named"}
    assert lab.run(stale=True).code == 0
    assert stale(lab) == {}


def test_what_failed_on_a_field_of_its_group_is_tried_again_when_that_changes(lab):
    stages = (
        '[stage.s]\neach = "run"\ncommand = ["sh", "-c", "test $1 = 7 && touch $0", "{product}", "{gain}"]\n'
    )
    lab.define(stages + 'products = "s/{night}_{run}"\n', head=HEAD)
    lab.write("nights.csv", "night,gain,moon\nn1,2,new\n")
    lab.write("in/n1/a.txt", "one\n")
    assert lab.run().code == 1
    lab.write("nights.csv", "night,gain,moon\nn1,2,full\n")
    assert lab.run().code == 1
    assert len(lab.outcomes("s", "n1", "a")) == 2
    lab.write("nights.csv", "night,gain,moon\nn1,7,full\n")
    assert lab.run().code == 0


def test_another_name_for_the_file_that_a_field_names_is_followed_to_the_other_product(lab):
    stages = """
[stage.dark]
each = "night"
command = ["sh", "-c", "echo $1 > $0", "{product}", "{night}"]
products = "dark/{night}"
[stage.s]
each = "run"
after = [{ stage = "dark", key = ["{moon}"] }]
command = ["cp", "{inputs.dark}", "{product}"]
products = "s/{night}_{run}"
"""
    lab.define(stages, head=HEAD)
    lab.write("nights.csv", "night,gain,moon\nn1,2,n1\nn2,2,n1\n")
    lab.write("in/n1/a.txt", "one\n")
    assert lab.run().code == 0
    lab.write("nights.csv", "night,gain,moon\nn1,2,n2\nn2,2,n1\n")
    lab.run()
    assert stale_stages(lab) == {"s": "its night's moon changed: n1 → n2"}
    assert lab.run(stale=True).code == 0
    assert lab.read("s/n1_a") == "n2\n"

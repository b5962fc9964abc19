"""Input files are digested once for each size and time, by the tasks that read them."""

import hashlib
import json
import os
import zipfile

from tests.conductor.test_rebuilding import archives, lose, rebuilt

HEAD = """\
[campaign]
name = "lab"
levels = ["night", "run"]
[units]
files = "in/{night}/{run}.txt"
settle = "0s"
[units.night]
files = "lamps/{night}.txt"
settle = "0s"
[site.local]
cores = 2
"""
STAGES = """
[stage.copy]
each = "run"
command = ["sh", "-c", "cat $1 lamps/$2.txt > $0", "{product}", "{path}", "{night}"]
products = "copy/{night}_{run}"
[stage.size]
each = "run"
command = ["wc", "-c", "{path}"]
"""


def sha(text):
    return hashlib.sha256(text.encode()).hexdigest()


def make(lab, more=""):
    lab.define(STAGES, head=HEAD + more)
    for night in ("n1", "n2"):
        lab.write(f"lamps/{night}.txt", night)
        for run in "abc":
            lab.write(f"in/{night}/{run}.txt", run)
    return lab


def contents(lab):
    return {row["path"]: row["digest"] for row in lab.rows("SELECT * FROM content")}


def asked(lab):
    """Return the files that tasks were asked to digest, of all jobs that are over."""
    lines = [
        json.loads(line)
        for archive in archives(lab)
        for line in zipfile.ZipFile(archive).read("tasks.jsonl").splitlines()
    ]
    return sorted(path for line in lines for path in line.get("undigested", ()))


def test_each_input_is_digested_once_however_many_tasks_use_it(lab):
    make(lab).run()
    known = {f"in/{night}/{run}.txt": sha(run) for night in ("n1", "n2") for run in "abc"}
    known |= {f"lamps/{night}.txt": sha(night) for night in ("n1", "n2")}
    assert contents(lab) == known
    assert asked(lab) == sorted(known)


def test_what_is_known_is_not_asked_again_and_what_changed_is(lab):
    make(lab).run()
    lab.write("in/n1/a.txt", "another")
    lab.write("in/n1/d.txt", "new")
    before = asked(lab)
    assert lab.run(stale=True).code == 0
    now = asked(lab)
    for path in before:
        now.remove(path)
    assert now == ["in/n1/a.txt", "in/n1/d.txt"]
    assert (contents(lab)["in/n1/a.txt"], contents(lab)["in/n1/d.txt"]) == (sha("another"), sha("new"))


def test_it_can_be_switched_off(lab):
    make(lab, "[provenance]\ninputs = false\n").run()
    assert (contents(lab), asked(lab)) == ({}, [])


def test_units_without_files_are_asked_for_nothing(lab):
    lab.define('[stage.a]\neach = "unit"\ncommand = ["true"]\n', units=3).run()
    assert (contents(lab), asked(lab)) == ({}, [])


def test_of_a_file_that_is_not_the_one_that_was_found_nothing_is_kept(lab):
    text = "echo later >> $1; cp $1 $0"
    stage = f'[stage.edit]\neach = "run"\ncommand = ["sh", "-c", "{text}", "{{product}}", "{{path}}"]\n'
    lab.define(stage + 'products = "copy/{night}_{run}"\n', head=HEAD)
    lab.write("in/n1/a.txt", "first")
    lab.run()
    assert asked(lab) == ["in/n1/a.txt"]
    assert contents(lab) == {}


def test_a_task_says_nothing_of_other_tasks_inputs(lab):
    """An event file can be written to by the tasks themselves."""
    make(lab)
    with lab.conductor() as conductor:
        inputs = conductor.crew.collector.hearing.applier.inputs
        conductor.run()
        row = lab.rows("SELECT * FROM content WHERE path = 'in/n1/a.txt'")[0]
        seen = row["path"], row["bytes"], row["mtime_ns"]
        unit, other = lab.unit("n1", "a"), lab.unit("n1", "b")
        with conductor.ledger.transaction():
            inputs.note("copy", {other: [(*seen, "forged")]})
        assert contents(lab)["in/n1/a.txt"] == sha("a")
        with conductor.ledger.transaction():
            inputs.note("copy", {unit: [(*seen, "told")]})
        assert contents(lab)["in/n1/a.txt"] == "told"


def test_a_lost_record_is_rebuilt_with_them(lab):
    make(lab).run()
    known = contents(lab)
    lose(lab.root)
    rebuilt(lab)
    assert contents(lab) == known
    before = asked(lab)
    os.utime(lab.root / "in/n1/a.txt")
    lab.run(stale=True)
    assert len(asked(lab)) == len(before) + 1

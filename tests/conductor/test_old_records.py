"""A campaign that an earlier penstock made: after an upgrade nothing is stale that did not change, and what changes is seen.

`tests/ledger/old/record/2.sql` is what the version before wrote of the campaign in `FILES`, under Python 3.11.
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from penstock.ledger import FILE, FOLDER

RECORD = Path(__file__).parents[1] / "ledger" / "old" / "record" / "2.sql"
FILES = {
    "penstock.toml": """\
[campaign]
name = "winter"
levels = ["night", "run"]
[params]
order = 2
[units]
files = "raw/{night}/{run:d}.txt"
settle = "0s"
[units.night]
table = "nights.csv"
types = { gain = "float" }
[site.local]
cores = 2
[stage.dark]
each = "night"
command = ["sh", "-c", "echo $1 > $0", "{product}", "{moon}"]
products = "dark/{night}"
[stage.clean]
each = "run"
after = "dark"
command = ["sh", "clean.sh", "{path}", "{product}", "{gain}"]
products = "clean/{night}_{run}"
[stage.fit]
each = "run"
after = "clean"
python = "lab:fit"
products = "fit/{night}_{run}"
[stage.plot]
each = "run"
with = "fit"
command = ["cp", "{inputs.fit}", "{product}"]
products = "plot/{night}_{run}_{moon}"
[stage.night]
each = "night"
after = "fit"
command = ["sort", "-o", "{product}", "{inputs.fit}"]
products = "night/{night}"
[stage.all]
each = "campaign"
after = "night"
python = "lab:join"
products = "all"
""",
    "lab.py": '''\
"""The lab's own."""
import tools

def fit(task):
    """Fit."""
    text = task.input("clean").read_text()
    task.product().write_text(f"{tools.scaled(len(text))} {task.params['order']}\\n")


def join(task):
    task.product().write_text("".join(path.read_text() for path in task.inputs["night"]))
''',
    "tools.py": "def scaled(x):\n    return 3 * x\n",
    "clean.sh": "echo $3 | cat - $1 > $2\n",
    "nights.csv": "night,moon,gain\nn1,new,1.5\nn2,full,2.5\n",
    "raw/n1/1.txt": "one\n",
    "raw/n1/2.txt": "two\n",
    "raw/n2/1.txt": "three\n",
}

MADE = {
    "dark/n1": "new\n", "dark/n2": "full\n", "clean/n1_1": "1.5\none\n", "clean/n1_2": "1.5\ntwo\n",
    "clean/n2_1": "2.5\nthree\n", "fit/n1_1": "24 2\n", "fit/n1_2": "24 2\n", "fit/n2_1": "30 2\n",
    "plot/n1_1_new": "24 2\n", "plot/n1_2_new": "24 2\n", "plot/n2_1_full": "30 2\n",
    "night/n1": "24 2\n24 2\n", "night/n2": "30 2\n", "all": "24 2\n24 2\n30 2\n",
}  # fmt: skip


def lay_out(root: Path) -> None:
    """Write the files of the campaign, as old as they were."""
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
        os.utime(root / name, (1_700_000_000, 1_700_000_000))


@pytest.fixture
def old(lab):
    """The campaign with its record of then."""
    lay_out(lab.root)
    (lab.root / FOLDER).mkdir(mode=0o700)
    with closing(sqlite3.connect(lab.root / FOLDER / FILE)) as db:
        db.executescript(RECORD.read_text().replace("@ROOT@", str(lab.root)))
    for path, text in MADE.items():
        lab.write(path, text)
    return lab


def stale(lab) -> dict[str, str]:
    """The stale tasks, and why."""
    sql = (
        "SELECT s.name || ' ' || u.key, t.stale FROM task t JOIN stage s ON s.id = t.stage JOIN unit u ON u.id = t.unit"
        " WHERE t.stale IS NOT NULL ORDER BY s.position, u.key"
    )
    return {row[0]: row[1] for row in lab.rows(sql)}


def test_an_upgrade_makes_nothing_stale_and_runs_nothing(old):
    lines = old.run().lines
    assert stale(old) == {}
    assert lines == ["all done: 14 tasks"]
    assert old.run().lines == ["all done: 14 tasks"]
    assert {row[0][:2] for row in old.rows("SELECT inputs FROM task")} == {"2:"}


def test_what_changed_across_the_upgrade_is_seen(old):
    old.write("nights.csv", "moon,night,gain,seen\nnew,n1,1.75,yes\nfull,n2,2.5,no\n")
    old.run()
    gain = "its night's gain changed: 1.5 → 1.75"
    seen = "its night's seen is new: no"
    assert stale(old) == {
        'clean ["n1",1]': gain, 'clean ["n1",2]': gain,
        'fit ["n1",1]': f"{gain}, and 1 more", 'fit ["n1",2]': f"{gain}, and 1 more", 'fit ["n2",1]': seen,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("file", "stage"),
    [("lab.py", "fit"), ("penstock.toml", "clean"), ("tools.py", "fit"), ("clean.sh", "clean")],
)
def test_what_is_edited_after_the_upgrade_is_seen(old, file, stage):
    old.run()
    edits = {"lab.py": ("len(text)", "1 + len(text)"), "penstock.toml": ('"{gain}"', '"{gain:.2f}"'),
             "tools.py": ("3 * x", "4 * x"), "clean.sh": ("$3", "$3 $3")}  # fmt: skip
    old.write(file, FILES[file].replace(*edits[file]))
    old.run()
    assert {name.split()[0] for name in stale(old)} - {"all"} == {stage}


def test_an_edit_that_the_version_before_saw_is_seen_across_the_upgrade(old):
    old.write("penstock.toml", FILES["penstock.toml"].replace('"{gain}"', '"{gain:.2f}"'))
    old.run()
    assert {name.split()[0] for name in stale(old)} == {"clean"}


def test_an_input_that_was_written_anew_is_seen_across_the_upgrade(old):
    old.write("raw/n1/2.txt", "four\n")
    old.run()
    assert {name: why for name, why in stale(old).items() if "clean" in name} == {
        'clean ["n1",2]': "its input changed: 4 → 5 bytes"
    }


def test_a_plan_or_a_veto_before_the_first_run_leaves_the_record_as_it_was(old):
    before = old.rows("SELECT stage, unit, made, inputs, stale FROM task")
    old.command("plan")
    old.ask("veto", unit=old.unit("n1", 2), why="clouds")
    old.ask("unveto", unit=old.unit("n1", 2))
    assert [tuple(row) for row in old.rows("SELECT stage, unit, made, inputs, stale FROM task")] == [
        tuple(row) for row in before
    ]
    assert old.run().lines == ["all done: 14 tasks"]


def test_what_only_comes_back_after_the_upgrade_is_compared_in_the_former_way(old):
    """An upstream is made again, equal, while the upgrade happens: what reads it is not stale."""
    with closing(sqlite3.connect(old.root / FOLDER / FILE)) as db:
        db.executescript(
            "UPDATE task SET state = 'ready', why = 'again' WHERE stage = 1 AND unit = 2;"
            "UPDATE product SET digest = NULL WHERE stage = 1 AND unit = 2;"
            "UPDATE tally SET n = n - 1 WHERE stage = 1 AND state = 'done';"
            "INSERT INTO tally VALUES (1, 1, 'ready', 1) ON CONFLICT DO UPDATE SET n = n + 1;"
        )
    assert old.run().lines == ["all done: 14 tasks"]
    assert stale(old) == {}

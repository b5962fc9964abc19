"""One unit that is not whole, or of which the definition cannot be worked out, holds up no other."""

from pathlib import Path

import pytest

from penstock.conductor import Conductor
from penstock.errors import DefinitionError
from penstock.ledger import Ledger
from penstock.ledger.check import check_ledger
from penstock.ledger.stored import stored_graph
from penstock.testing import MadeCampaign, ManualClock, Outcome, PretendSite, make_campaign

RUNS = """
[campaign]
name = "runs"
levels = ["run", "part"]
[units]
files = "in/{run:d}/{part}.dat"
settle = "0s"
complete = { run = "count parts" }
[units.run]
table = "runs.csv"
types = { parts = "int", gain = "float" }
[stage.one]
each = "part"
command = ["cp", "{path}", "{product}"]
products = "one/{run}/{part}.dat"
[stage.all]
each = "run"
after = ["one"]
command = ["cat", "{inputs.one}"]
"""
PIECES = """
[campaign]
name = "pieces"
levels = ["run"]
[units]
files = "raw/r{run:03d}-s{stream:d}of{streams:d}.h5"
many = ["stream"]
settle = "0s"
HOW
[stage.join]
each = "run"
command = ["cat", "{paths}"]
"""
GAINS = """
[campaign]
name = "gains"
levels = ["run"]
[units]
table = "runs.csv"
types = { gain = "float" }
[stage.fit]
each = "run"
where = "gain > 1"
command = ["touch", "{product}"]
products = "out/{run}.txt"
"""


def tick(made: MadeCampaign, *, times: int = 4) -> None:
    """Turn as cron does."""
    clock = ManualClock()
    site = PretendSite(made.root, clock=clock)
    for _ in range(times):
        with Conductor(made.load(), command="tick", site=site, clock=clock) as conductor:
            conductor.tick()


def problems(root: Path) -> dict[str, str]:
    """Return what a person should look at; the record must agree with itself."""
    with Ledger.open(root, readonly=True) as ledger:
        assert check_ledger(ledger, stored_graph(ledger)) == []
        return {row[0]: row[1] for row in ledger.db.execute("SELECT subject, why FROM problem")}


def why(root: Path, stage: str, key: str) -> str:
    sql = (
        "SELECT t.why FROM task t JOIN unit u ON u.id = t.unit JOIN stage s ON s.id = t.stage"
        " WHERE s.name = ? AND u.key = ?"
    )
    with Ledger.open(root, readonly=True) as ledger:
        return str(ledger.db.execute(sql, (stage, key)).fetchone()[0])


def test_a_group_whose_row_is_not_there_yet_is_open_and_others_go_on(tmp_path: Path) -> None:
    files = {f"in/{run}/{part}.dat": "x" for run in (3, 4, 5) for part in "ab"}
    made = make_campaign(tmp_path, RUNS, {**files, "runs.csv": "run,parts,gain\n3,2,1\n5,-2,\n"})
    tick(made)
    assert made.states("all") == {"[3]": "done", "[4]": "waiting", "[5]": "waiting"}
    assert why(tmp_path, "all", "[4]") == "group open, because its 'parts' is not known yet"
    assert (
        why(tmp_path, "all", "[5]")
        == "group open, because its 'parts' is -2, which is not a number of members"
    )
    made.write("runs.csv", "run,parts,gain\n3,2,1\n4,2,1\n5,2,\n")
    tick(made)
    assert set(made.states("all").values()) == {"done"}


def test_an_empty_cell_where_a_condition_looks_is_told_by_name_until_it_is_filled(tmp_path: Path) -> None:
    made = make_campaign(tmp_path, GAINS, {"runs.csv": "run,gain\nx,2\ny,\nz,0.5\n"})
    made.run()
    assert made.states("fit") == {'["x"]': "done"}
    assert list(problems(tmp_path)) == ["y"]
    assert problems(tmp_path)["y"] == "fit.where: the expression 'gain > 1' needs gain, which is empty"
    made.write("runs.csv", "run,gain\nx,2\ny,3\nz,\n")
    made.run()
    assert made.states("fit") == {'["x"]': "done", '["y"]': "done"}
    assert list(problems(tmp_path)) == ["z"]


def test_what_is_wrong_with_a_unit_is_forgotten_with_it(tmp_path: Path) -> None:
    made = make_campaign(tmp_path, GAINS, {"runs.csv": "run,gain\nx,2\ny,\n"})
    made.run()
    made.write("runs.csv", "run,gain\nx,2\n")
    made.run()
    assert problems(tmp_path) == {}


def test_what_is_wrong_by_a_condition_is_forgotten_with_it(tmp_path: Path) -> None:
    made = make_campaign(tmp_path, GAINS, {"runs.csv": "run,gain\nx,2\ny,\n"})
    made.run()
    for text in (
        GAINS.replace("gain > 1", "gain is None"),
        GAINS.replace("[stage.fit]", "[stage.other]"),
        GAINS,
    ):
        (tmp_path / "penstock.toml").write_text(text)
        made.run()
        assert list(problems(tmp_path)) == ([] if "None" in text else ["y"])


def test_a_key_of_an_upstream_that_cannot_be_written_blocks_its_unit_only(tmp_path: Path) -> None:
    text = GAINS.replace('where = "gain > 1"\n', "").replace('"float" }', '"float", dark = "int" }') + (
        '[stage.use]\neach = "run"\nafter = [{ stage = "fit", key = "d{dark:02d}" }]\ncommand = ["true"]\n'
    )
    made = make_campaign(tmp_path, text, {"runs.csv": "run,gain,dark\nd01,1,1\nb,1,1\nc,1,\n"})
    made.run()
    assert made.states("use") == {'["b"]': "done", '["c"]': "blocked", '["d01"]': "done"}
    assert list(problems(tmp_path)) == ["c"]


def test_a_unit_of_many_files_is_held_until_all_are_there(tmp_path: Path) -> None:
    text = PIECES.replace("HOW", 'complete = { run = "count streams" }')
    made = make_campaign(tmp_path, text, {f"raw/r00{r}-s{s}of2.h5": "x" for r, s in ((1, 1), (1, 2), (2, 1))})
    tick(made)
    assert made.states("join") == {"[1]": "done", "[2]": "waiting"}
    assert why(tmp_path, "join", "[2]") == "not complete, because 1 of 2 members have arrived"
    made.write("raw/r002-s2of2.h5", "x")
    tick(made)
    assert made.states("join") == {"[1]": "done", "[2]": "done"}


@pytest.mark.parametrize("written", ["{path}.part", "raw/r{run:03d}-s{stream:d}of{streams:d}.h5.part"])
def test_a_unit_is_held_while_one_of_its_files_is_written(tmp_path: Path, written: str) -> None:
    text = PIECES.replace("HOW", f'partial = "{written}"')
    made = make_campaign(
        tmp_path, text, {"raw/r001-s1of2.h5": "x", "raw/r001-s2of2.h5.part": "x", "raw/r002-s1of2.h5": "x"}
    )
    assert made.run().code == 0
    assert made.states("join") == {"[2]": "done"}
    made.write("raw/r002-s2of2.h5.part", "x")
    (tmp_path / "raw/r001-s2of2.h5.part").rename(tmp_path / "raw/r001-s2of2.h5")
    tick(made)
    assert made.states("join") == {"[1]": "done", "[2]": "done"}


def test_a_single_file_is_held_by_what_stands_beside_it(tmp_path: Path) -> None:
    text = (
        PIECES.replace("HOW", 'partial = "{path}.lock"')
        .replace('many = ["stream"]\n', "")
        .replace("{paths}", "{path}")
    )
    files = ["raw/r001-s1of2.h5", "raw/r001-s1of2.h5.lock", "raw/r002-s1of2.h5", "raw/r003-s1of2.h5.lock"]
    made = make_campaign(tmp_path, text, dict.fromkeys(files, "x"))
    made.run()
    assert made.states("join") == {"[2]": "done"}
    (tmp_path / "raw/r001-s1of2.h5.lock").unlink()
    made.run()
    assert made.states("join") == {"[1]": "done", "[2]": "done"}


def test_what_is_written_first_holds_the_groups_above_it(tmp_path: Path) -> None:
    text = RUNS.replace('complete = { run = "count parts" }', 'partial = "{path}.part"')
    made = make_campaign(
        tmp_path,
        text,
        {"in/3/a.dat": "x", "in/3/b.dat.part": "x", "in/4/a.dat": "x", "runs.csv": "run,parts,gain\n"},
    )
    made.run()
    assert made.states("all") == {"[3]": "waiting", "[4]": "done"}
    assert why(tmp_path, "all", "[3]") == "group open, because incomplete: in/3/b.dat.part is still there"


@pytest.mark.parametrize(
    ("partial", "said"),
    [
        ("{path}", "is the file itself"),
        ("other/{path}.part", "is not beside"),
        ("raw/{run:03d}.part", "must name the unit"),
        ("raw/{run:03d", "single '{'"),
    ],
)
def test_a_partial_that_is_none_is_refused(tmp_path: Path, partial: str, said: str) -> None:
    made = make_campaign(tmp_path, PIECES.replace("HOW", f'partial = "{partial}"'))
    with pytest.raises(DefinitionError, match=said):
        made.load()


NAMED = """
[campaign]
name = "named"
levels = ["run"]
[units]
table = "runs.csv"
[stage.first]
each = "run"
command = ["true"]
products = "out/{label}.txt"
[stage.second]
each = "run"
after = ["first"]
command = ["cat", "{inputs.first}"]
[stage.last]
each = "campaign"
after = ["second"]
members = "done"
command = ["true"]
"""


def test_a_task_whose_product_cannot_be_named_fails_and_others_go_on(tmp_path: Path) -> None:
    made = make_campaign(tmp_path, NAMED, {"runs.csv": "run,label\na,x\nb,\nc,..\nd,y\n"})
    ending = made.run()
    assert ending.code == 1
    assert made.states("first") == {'["a"]': "done", '["b"]': "failed", '["c"]': "failed", '["d"]': "done"}
    assert made.states("second") == {'["a"]': "done", '["b"]': "blocked", '["c"]': "blocked", '["d"]': "done"}
    assert made.states("last") == {"[]": "done"}
    assert why(tmp_path, "first", '["c"]').startswith("cannot run: the value '..' cannot be part of a path")
    made.write("runs.csv", "run,label\na,x\nb,bb\nc,cc\nd,y\n")
    assert made.run().code == 0
    assert set(made.states("second").values()) == {"done"}


def test_a_task_that_would_make_the_file_of_another_fails_and_others_go_on(tmp_path: Path) -> None:
    made = make_campaign(tmp_path, NAMED, {"runs.csv": "run,label\na,x\n"})
    made.run()
    made.write("runs.csv", "run,label\na,x\nb,x\nc,y\nd,z\ne,z\n")
    assert made.run().code == 1
    states = made.states("first")
    assert [states[f'["{run}"]'] for run in "abcd"] == ["done", "failed", "done", "done"]
    assert states['["e"]'] == "failed"
    assert "out/x.txt" in why(tmp_path, "first", '["b"]')
    assert problems(tmp_path) == {}


def test_a_plan_shows_what_cannot_be_run(tmp_path: Path) -> None:
    from penstock.conductor.plan import plan

    made = make_campaign(tmp_path, NAMED, {"runs.csv": "run,label\na,x\nb,\n"})
    assert "cannot run: the value ''" in plan(made.load()).to_text()


def test_a_stage_that_is_removed_while_its_tasks_are_on_their_way_leaves_a_record_that_agrees(
    tmp_path: Path,
) -> None:
    text = NAMED.split("[stage.second]")[0]
    made = make_campaign(tmp_path, text, {"runs.csv": "run,label\na,x\nb,y\n"})
    clock = ManualClock()
    site = PretendSite(made.root, rule=lambda run: Outcome(seconds=60), clock=clock)
    with Conductor(made.load(), command="tick", site=site, clock=clock) as conductor:
        conductor.tick()
    (tmp_path / "penstock.toml").write_text(
        text.replace("[stage.first]", "[stage.other]").replace("out/", "other/"), "utf-8"
    )
    clock.turn(120)
    assert made.run(site=site).code == 0
    problems(tmp_path)
    assert set(made.states("other").values()) == {"done"}


@pytest.mark.parametrize("content", [b"\xbb\xbf\ndef find(): ...\n", b"def find(): ...\n\0", b"def find(:\n"])
def test_a_module_that_is_no_text_is_told_as_that(tmp_path: Path, content: bytes) -> None:
    text = NAMED.replace('table = "runs.csv"', 'python = "own_units:find"')
    made = make_campaign(tmp_path, text, {"own_units.py": content})
    with pytest.raises(DefinitionError, match="is not Python"):
        made.run()


LATE = """
[campaign]
name = "late"
levels = ["night", "run"]
[units]
python = "instrument:find"
complete = { night = "file {night}.over" }
[stage.all]
each = "night"
command = ["touch", "{product}"]
products = "{night}.txt"
members = "all"
after = ["one"]
[stage.one]
each = "run"
command = ["true"]
"""
INSTRUMENT = """
from pathlib import Path
def find(task=None):
    runs = Path("ROOT/runs")
    for run in runs.read_text().split():
        yield {"night": "n1", "run": run}
    with runs.open("a") as more:
        more.write("z ")
    Path("ROOT/n1.over").touch()
"""


def test_a_file_that_says_a_group_is_whole_counts_for_members_looked_for_after_it_came(
    tmp_path: Path,
) -> None:
    made = make_campaign(
        tmp_path, LATE, {"runs": "x y ", "instrument.py": INSTRUMENT.replace("ROOT", str(tmp_path))}
    )
    with Conductor(made.load(), command="tick", clock=ManualClock(), site=made.site()) as conductor:
        turn = conductor.tick()
        opening = conductor.ledger.db.execute("SELECT why FROM opening").fetchall()
    assert set(made.states("one")) == {'["n1","x"]', '["n1","y"]', '["n1","z"]'}
    assert (turn.new, opening) == (3, [])

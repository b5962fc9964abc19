"""A record that is lost, damaged or behind is made anew from what lies beside it: the same states, attempts and digests."""

import itertools
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import zipfile
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path

import pytest
from tests.conductor.grid import COPY, JOIN, Grid

from penstock.clock import SystemClock
from penstock.conductor import Conductor
from penstock.conductor.rebuilding import Rebuilt, rebuild
from penstock.config import load
from penstock.errors import Held
from penstock.ledger import FILE, FOLDER
from penstock.ledger.files import REST
from penstock.ledger.hosts.lease import held
from penstock.runner.files import archive_of
from penstock.site import Sites

STAGES = """
[stage.a]
each = "unit"
command = ["sh", "-c", "echo a-$1 >> runs; test $1 != u3 && echo $1 > $0", "{product}", "{unit}"]
products = "a/{unit}"
retry = { error = 1 }
[stage.b]
each = "unit"
with = "a"
command = ["sh", "-c", "echo b-$(cat $1) >> runs; cp $1 $0", "{product}", "{inputs.a}"]
products = "b/{unit}"
[stage.all]
each = "campaign"
after = "b"
members = "done"
command = ["sh", "-c", "echo all >> runs; shift; cat \\"$@\\" > $0", "{product}", "-", "{inputs.b}"]
products = "all"
"""
SLOW = """
[stage.a]
each = "unit"
command = ["sh", "-c", "echo a-$1 >> runs; sleep 0.05; echo $1 > $0", "{product}", "{unit}"]
products = "a/{unit}"
"""
TASKS = (
    "SELECT s.name, u.key, t.state, t.tries, t.free, t.stale, CASE t.state WHEN 'done' THEN t.made || t.inputs END"
    " FROM task t JOIN stage s ON s.id = t.stage JOIN unit u ON u.id = t.unit ORDER BY 1, 2"
)
ATTEMPTS = (
    "SELECT s.name, u.key, j.token, a.outcome, a.began, a.ended, a.wall_s, a.exit_code, a.host, a.log, a.why, a.next,"
    " a.result, a.late FROM attempt a JOIN stage s ON s.id = a.stage JOIN unit u ON u.id = a.unit JOIN job j ON j.id = a.job"
    " ORDER BY a.id"
)
PRODUCTS = (
    "SELECT s.name, u.key, p.name, p.path, p.bytes, p.digest, p.owned FROM product p JOIN stage s ON s.id = p.stage"
    " JOIN unit u ON u.id = p.unit WHERE p.digest IS NOT NULL ORDER BY p.path"
)
VETOES = "SELECT u.key, v.by, v.why, v.lifted IS NULL FROM veto v JOIN unit u ON u.id = v.unit ORDER BY v.at"


def held_in(lab, *queries: str) -> list[list[tuple]]:
    return [[tuple(row) for row in lab.rows(sql)] for sql in queries or (TASKS, ATTEMPTS, PRODUCTS, VETOES)]


def lose(root: Path) -> None:
    """Delete the record."""
    for ending in ("", *REST):
        (root / FOLDER / f"{FILE}{ending}").unlink(missing_ok=True)


def rebuilt(lab) -> Rebuilt:
    return rebuild(load(lab.root))


def without(archive: Path, name: str) -> None:
    """Take a file out of an archive."""
    with zipfile.ZipFile(archive) as old:
        kept = {one: old.read(one) for one in old.namelist() if one != name}
    with zipfile.ZipFile(archive, "w") as new:
        for one, data in kept.items():
            new.writestr(one, data)


def archives(lab) -> list[Path]:
    return sorted((lab.root / FOLDER / "jobs").glob("*.zip"))


def test_a_finished_campaign_whose_record_is_deleted_is_rebuilt_with_the_same_states_attempts_and_digests(
    lab,
):
    lab.define(STAGES, units=6)
    lab.run()
    lab.ask("veto", unit=lab.unit("u5"), why="clouds")
    lab.write("units.csv", "unit\n" + "".join(f"u{n}\n" for n in range(1, 9)))
    lab.run()
    lab.ask("veto", unit=lab.unit("u3"), why="broken")
    lab.ask("unveto", unit=lab.unit("u5"))
    before = held_in(lab)
    lose(lab.root)
    told = rebuilt(lab)
    assert held_in(lab) == before
    assert told.attempts == len(before[1])
    runs = lab.runs()
    lab.run()
    assert lab.runs() == runs, "nothing is run again"


def test_a_sound_record_stays_as_it_is_and_nothing_is_lacking(lab):
    lab.define(STAGES, units=5)
    lab.run()
    lab.ask("veto", unit=lab.unit("u3"), why="broken")
    before = held_in(lab)
    told = rebuilt(lab)
    assert (held_in(lab), told.lacks) == (before, [])
    assert told.kept.exists()


def test_of_a_lost_record_nothing_is_kept(lab):
    lab.define(STAGES, units=2).run()
    lose(lab.root)
    assert "there was no record before" in lab.command("ledger", "rebuild").stdout
    assert not list((lab.root / FOLDER).glob("replaced-*"))
    assert lab.states("a") == {"done": 2}


def test_attempts_of_a_job_without_an_archive_come_from_the_previous_record_which_is_told(lab):
    lab.define(STAGES, units=5)
    lab.run()
    before = held_in(lab)
    for archive in archives(lab):
        archive.unlink()
    told = rebuilt(lab)
    assert held_in(lab) == before
    assert "attempts of jobs without archives were taken from the previous record" in told.lacks[0]


def test_an_archive_of_an_older_penstock_gives_states_and_digests_by_its_events(lab):
    lab.define(STAGES, units=6)
    lab.run()
    before = held_in(lab, PRODUCTS, "SELECT count(*) FROM attempt")
    states = [lab.states(name) for name in ("a", "b", "all")]
    for archive in archives(lab):
        without(archive, "record.json")
    lose(lab.root)
    rebuilt(lab)
    assert [lab.states(name) for name in ("a", "b", "all")] == states
    assert held_in(lab, PRODUCTS, "SELECT count(*) FROM attempt") == before


def test_a_damaged_archive_is_told_and_its_tasks_are_to_be_run_again(lab):
    lab.define(SLOW, units=3)
    lab.run()
    for archive in archives(lab):
        data = bytearray(archive.read_bytes())
        data[len(data) // 3] ^= 0x10
        archive.write_bytes(data)
    lose(lab.root)
    told = rebuilt(lab)
    assert any("is damaged" in line for line in told.lacks)
    assert lab.states("a") == {"ready": 3}


@pytest.mark.parametrize("all_die", [False, True], ids=["runners live on", "runners die, too"])
def test_a_record_lost_in_the_middle_of_a_run_continues_where_it_was(lab, all_die):
    lab.define(SLOW, units=40)
    process = lab.start("run")
    lab.wait_until(lambda: lab.holder() and lab.runs().total() > 12, "some have begun")
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pid in runners_of(lab.root) if all_die else ():
        os.kill(pid, signal.SIGKILL)
    lose(lab.root)
    rebuilt(lab)
    assert lab.run().code == 0
    assert lab.states("a") == {"done": 40}
    again = [name for name, times in lab.runs().items() if times > 1]
    assert len(again) <= (2 if all_die else 0), "only what was in flight is run twice"


def runners_of(root: Path) -> list[int]:
    """Return the runners that work in a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = path.read_bytes().split(b"\0")
            if any(bytes(root) in word and word.endswith(b".pyz") for word in words):
                found.append(int(path.parent.name))
    return found


def test_a_task_that_was_retried_in_the_same_job_keeps_its_last_end(lab):
    lab.define(
        SLOW.replace(
            "sleep 0.05",
            "case $1 in *2) test -e seen-$1 || {{ touch seen-$1; exit 3; }};; esac; sleep 0.02",
        ),
        units=32,
    )
    process = lab.start("run")
    lab.wait_until(lambda: lab.runs()["a-u12"] == 2, "one was retried")
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    lose(lab.root)
    rebuilt(lab)
    assert lab.run().code == 0
    retried = {"a-u2", "a-u12", "a-u22", "a-u32"}
    assert lab.runs() == {f"a-u{n}": 2 if f"a-u{n}" in retried else 1 for n in range(1, 33)}


def test_an_array_that_is_in_the_queue_or_runs_is_adopted(tmp_path):
    grid = Grid(tmp_path, COPY + JOIN, units=6)
    with grid.conductor() as conductor:
        for _ in range(20):
            conductor.turn()
            grid.clock.turn(1.0)
    assert grid.rows("SELECT state FROM job") == [("submitted",)]
    lose(tmp_path)
    campaign = grid.campaign()
    there = {"pretend": grid.cluster.site(campaign.sites["pretend"], tmp_path)}
    rebuild(campaign, clock=grid.clock, sites=Sites(campaign, there=there))
    assert grid.run().code == 0
    assert (grid.states(), grid.states("join")) == ({"done": 6}, {"done": 2})
    assert set(Counter(grid.rows("SELECT stage, unit FROM attempt")).values()) == {1}


def test_nobody_rebuilds_what_a_conductor_works_with(lab):
    lab.define(SLOW, units=2).run()
    with held(lab.root, command="run", clock=SystemClock()), pytest.raises(Held):
        rebuilt(lab)


def test_a_damaged_record_that_a_process_has_open_is_not_replaced(lab):
    lab.define(SLOW, units=2)
    lab.run()
    file = lab.root / FOLDER / FILE
    child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=file.open("rb"))
    holder = subprocess.Popen(
        [sys.executable, "-c", f"f = open({str(file)!r}); import time; print(1, flush=True); time.sleep(60)"],
        stdout=subprocess.PIPE,
    )
    assert holder.stdout
    holder.stdout.readline()
    file.write_bytes(b"no database at all, but long enough" * 400)
    try:
        with pytest.raises(Held, match="is used by process"):
            rebuilt(lab)
    finally:
        for process in (child, holder):
            process.kill()
            process.wait()
    assert rebuilt(lab).attempts == 2


def test_a_damaged_record_is_kept_as_it_was(lab):
    lab.define(SLOW, units=3)
    lab.run()
    before, noise = held_in(lab), b"no database at all, but long enough" * 400
    (lab.root / FOLDER / FILE).write_bytes(noise)
    told = rebuilt(lab)
    assert told.kept.read_bytes() == noise
    assert held_in(lab) == before


def test_killed_at_any_moment_it_leaves_the_old_record_or_the_new_one(lab, tmp_path):
    lab.define(STAGES, units=6)
    lab.run()
    before = held_in(lab)
    for number in itertools.count():
        child = os.fork()
        if child == 0:
            die_before_call(number)
            rebuilt(lab)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        assert held_in(lab) == before
        if os.waitstatus_to_exitcode(status) == 0:
            break
    assert number > 5
    with closing(sqlite3.connect(lab.root / FOLDER / "replaced-1.sqlite")) as db:
        assert db.execute("SELECT count(*) FROM attempt").fetchone()[0] == len(before[1])


def die_before_call(number: int) -> None:
    """Kill this process before the n-th call that changes a file."""
    calls = itertools.count()

    def watch(event: str, _: object) -> None:
        if event in ("os.rename", "os.link", "os.remove", "sqlite3.connect") and next(calls) == number:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)


def test_a_request_about_a_unit_that_is_no_more_and_a_damaged_line_are_told(lab):
    lab.define(SLOW, units=3)
    lab.run()
    lab.write("units.csv", "unit\n" + "".join(f"u{n}\n" for n in range(1, 5)))
    with lab.conductor() as conductor:
        conductor.discover()
    lab.ask("veto", unit=lab.unit("u4"), why="never")
    lab.ask("veto", unit=lab.unit("u2"), why="late")
    actions = lab.root / FOLDER / "actions.jsonl"
    actions.write_text(actions.read_text().replace("late", "lite"))
    lab.write("units.csv", "unit\n" + "".join(f"u{n}\n" for n in range(1, 4)))
    lose(lab.root)
    lacks = "\n".join(rebuilt(lab).lacks)
    assert '["u4"], which no longer exists' in lacks
    assert "line 2 of actions.jsonl is damaged" in lacks


def test_children_of_an_expanding_stage_come_back_also_those_that_never_ran(lab):
    lab.write(
        "spread.py",
        "def spread(task):\n    for n in range(3):\n        task.expand(part=n, size=n)\n\n"
        "def use(task):\n    return {'n': task.fields['size']}\n",
    )
    lab.write(
        "penstock.toml",
        '[campaign]\nname = "lab"\nlevels = ["unit", "part"]\n[units.unit]\ntable = "units.csv"\n'
        '[site.local]\ncores = 2\n[stage.spread]\neach = "unit"\npython = "spread:spread"\nexpands = "part"\n'
        '[stage.use]\neach = "part"\npython = "spread:use"\n',
    )
    lab.write("units.csv", "unit\nu1\nu2\n")
    with Conductor(load(lab.root), command="run") as conductor:
        from penstock.conductor.scope import Only

        conductor.run(only=Only("spread"))
    before = held_in(lab, TASKS, "SELECT level, key, fields, origin FROM unit ORDER BY id")
    lose(lab.root)
    rebuilt(lab)
    assert held_in(lab, TASKS, "SELECT level, key, fields, origin FROM unit ORDER BY id") == before
    assert lab.run().code == 0


def test_an_archive_says_what_the_record_held_of_its_job(lab):
    lab.define(SLOW, units=2)
    lab.run()
    with zipfile.ZipFile(archives(lab)[0]) as archive:
        kept = json.loads(archive.read("record.json"))
    assert (
        kept["tables"]["job"]["rows"][0][1] == Path(archive_of("x")).stem or kept["tables"]["attempt"]["rows"]
    )


def test_a_copy_of_the_folder_without_its_record_is_rebuilt_elsewhere(lab, tmp_path_factory):
    lab.define(SLOW, units=3)
    lab.run()
    other = tmp_path_factory.mktemp("copy") / "lab"
    shutil.copytree(lab.root, other)
    lose(other)
    assert rebuild(load(other)).attempts == 3


@pytest.mark.parametrize("excerpt", [True, False], ids=["excerpt", "events"])
def test_what_tasks_ran_with_is_rebuilt(lab, excerpt):
    lab.define(STAGES, units=3).run()
    sql = "SELECT j.token, l.software FROM life l JOIN job j ON j.id = l.job ORDER BY 1"
    before = held_in(lab, sql)
    assert all('"python"' in software for _, software in before[0])
    for archive in archives(lab) if not excerpt else ():
        without(archive, "record.json")
    lose(lab.root)
    rebuilt(lab)
    assert held_in(lab, sql) == before

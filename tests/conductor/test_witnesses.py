"""A record that is behind what lies beside it is told, and nothing is run until somebody says what is right."""

import os
import shutil
import signal
import sqlite3
from contextlib import closing

import pytest
from tests.conductor.test_rebuilding import SLOW, lose

from penstock.conductor import Conductor
from penstock.conductor.accepting import accept_record
from penstock.conductor.rebuilding import rebuild
from penstock.config import load
from penstock.errors import LedgerError
from penstock.ledger import FILE, FOLDER, Ledger
from penstock.ledger.backup import back_up, restore


def units(lab, n: int) -> None:
    lab.write("units.csv", "unit\n" + "".join(f"u{k}\n" for k in range(1, n + 1)))


@pytest.fixture
def behind(lab):
    """A campaign with a backup of its record copied back by hand, from before its last three tasks."""
    lab.define(SLOW, units=3).run()
    back_up(lab.root, lab.root / "backup")
    units(lab, 6)
    lab.run()
    lose(lab.root)
    shutil.copy(lab.root / "backup", lab.root / FOLDER / FILE)
    return lab


def test_nothing_is_run_with_a_record_that_lacks_jobs(behind):
    runs = behind.runs()
    with pytest.raises(LedgerError, match=r"job that it does not know .*ledger rebuild.*ledger accept"):
        behind.run()
    assert behind.runs() == runs


def test_rebuilding_brings_back_what_it_lacks(behind):
    runs = behind.runs()
    rebuild(load(behind.root))
    assert behind.run().code == 0
    assert behind.runs() == runs
    assert behind.states("a") == {"done": 6}


def test_after_a_persons_word_it_is_done_again(behind):
    assert accept_record(behind.root) >= 1
    assert behind.run(overwrite=True).code == 0
    assert max(behind.runs().values()) == 2
    assert behind.run().code == 0, "and not told once more"


def test_without_any_record_nothing_is_run_either(lab):
    lab.define(SLOW, units=3).run()
    lose(lab.root)
    done = lab.command("run")
    assert (done.returncode, "that it does not know" in done.stderr) == (1, True)
    assert lab.runs().total() == 3
    assert lab.command("ledger", "accept").returncode == 0
    assert lab.command("run", "--overwrite").returncode == 0
    assert lab.runs().total() == 6


def test_a_backup_of_a_campaign_at_work_is_told_when_it_is_restored_over_a_newer_record(lab):
    lab.define(SLOW, units=40)
    process = lab.start("run")
    lab.wait_until(lambda: lab.holder() and lab.runs().total() > 5, "some have begun")
    back_up(lab.root, lab.root / "backup")
    assert process.wait(30) == 0
    restore(lab.root, lab.root / "backup")
    with pytest.raises(LedgerError, match="that it takes for unfinished"):
        lab.run()
    rebuild(load(lab.root))
    assert lab.run().code == 0
    assert set(lab.runs().values()) == {1}


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_changed_bit_in_the_wal_of_a_killed_conductor_runs_nothing_twice_in_silence(lab, share):
    lab.define(SLOW, units=60)
    process = lab.start("run")
    lab.wait_until(lambda: lab.holder() and lab.runs().total() > 20, "some have begun")
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    wal = lab.root / FOLDER / f"{FILE}-wal"
    data = bytearray(wal.read_bytes())
    data[int(len(data) * share)] ^= 4
    wal.write_bytes(data)
    try:
        lab.run()
    except LedgerError:
        rebuild(load(lab.root))
        lab.run()
    assert max(lab.runs().values()) == 1
    assert lab.states("a") == {"done": 60}


def test_a_veto_that_only_actions_have_holds(behind):
    rebuild(load(behind.root))
    back_up(behind.root, behind.root / "backup")
    units(behind, 7)
    with behind.conductor() as conductor:
        conductor.discover()
    with Ledger.open(behind.root) as ledger:
        from penstock.ledger.requests import record

        record(ledger, "veto", {"unit": behind.unit("u7"), "why": "clouds"}, "me@here", 1_000.0)
        ledger.db.execute("DELETE FROM request WHERE action = 'veto'")
    behind.run()
    assert behind.task("a", "u7")["state"] == "vetoed"
    assert behind.rows("SELECT count(*) FROM veto")[0][0] == 1
    behind.run()
    assert behind.rows("SELECT count(*) FROM veto")[0][0] == 1


def test_a_request_of_which_nobody_knows_whether_it_was_done_is_not_done_again(behind):
    rebuild(load(behind.root))
    behind.ask("redo", stage="a")
    behind.run(stale=True)
    with Ledger.open(behind.root) as ledger:
        ledger.db.execute("DELETE FROM request")
        ledger.db.execute("DELETE FROM meta WHERE name = 'actions'")
    actions = behind.root / FOLDER / "actions.jsonl"
    assert actions.exists()
    runs = behind.runs()
    behind.run(stale=True)
    assert behind.runs() == runs


def test_a_runner_that_was_given_more_than_the_record_knows_is_told(lab):
    lab.define(SLOW, units=40)
    process = lab.start("run")
    lab.wait_until(lambda: lab.holder() and lab.runs().total() > 10, "some have begun")
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    with closing(sqlite3.connect(lab.root / FOLDER / FILE)) as db, db:
        db.execute("UPDATE task SET state = 'ready', batch = NULL WHERE batch = (SELECT max(id) FROM batch)")
        db.execute("DELETE FROM batch WHERE id = (SELECT max(id) FROM batch)")
    with pytest.raises(LedgerError, match="with tasks that it does not know of"):
        lab.run()
    rebuild(load(lab.root))
    assert lab.run().code == 0
    assert max(lab.runs().values()) == 1


def test_a_campaign_that_was_copied_whole_has_nothing_ahead_of_it(lab, tmp_path_factory):
    lab.define(SLOW, units=2).run()
    other = tmp_path_factory.mktemp("other") / "copy"
    shutil.copytree(lab.root, other)
    with Conductor(load(other), command="run") as conductor:
        assert conductor.run().code == 0


def test_a_record_that_was_deleted_is_missed_by_those_who_only_ask(lab):
    lab.define(SLOW, units=2).run()
    lose(lab.root)
    asked = lab.command("status")
    assert (asked.returncode, "though 1 job" in asked.stderr or "though 2 jobs" in asked.stderr) == (1, True)
    assert not (lab.root / FOLDER / FILE).exists()
    rebuild(load(lab.root))
    assert lab.command("status").returncode == 0

"""One conductor at a time, and no unlocking by hand."""

import os
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests.started import Started

from penstock.errors import Held, LedgerError
from penstock.host import boot_id, start_time
from penstock.ledger import Ledger
from penstock.ledger.hosts.lease import LASTS_S, acquire, held, holder, release, renew, start
from penstock.testing import ManualClock


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path, create=True) as made:
        yield made


def hold_as(ledger: Ledger, *, host: str, boot: str, pid: int, start: str, expires: float) -> None:
    """Let somebody else have the lease."""
    ledger.db.execute(
        "UPDATE lease SET epoch = epoch + 1, host = ?, boot = ?, pid = ?, start = ?, command = 'run', since = 1000,"
        " expires = ?",
        (host, boot, pid, start, expires),
    )


def test_a_new_ledger_is_held_by_nobody(ledger: Ledger) -> None:
    assert holder(ledger.db) is None


def test_a_second_conductor_is_told_who_holds_the_campaign_since_when_and_where(ledger: Ledger) -> None:
    clock = ManualClock(now=1_600_000_000)
    acquire(ledger, command="run", clock=clock)
    with pytest.raises(Held) as told:
        acquire(ledger, command="watch", clock=clock)
    assert f"`penstock run`, process {os.getpid()} on {socket.gethostname()}" in str(told.value)
    assert "since 2020-09-13 12:26:40 UTC" in str(told.value)
    assert told.value.exit_code == 4


def test_what_was_given_back_is_free_at_once(ledger: Ledger) -> None:
    clock = ManualClock()
    epoch = acquire(ledger, command="run", clock=clock)
    release(ledger.db, epoch)
    assert acquire(ledger, command="run", clock=clock) == epoch + 1


def test_the_lease_of_a_process_that_ended_here_is_free_at_once(ledger: Ledger, start: Started) -> None:
    child = start([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    me = {"host": socket.gethostname(), "boot": boot_id(), "pid": child.pid, "start": start_time(child.pid)}
    hold_as(ledger, **me, expires=1e12)
    with pytest.raises(Held):
        acquire(ledger, command="run", clock=ManualClock())
    child.communicate(b"\n")
    assert acquire(ledger, command="run", clock=ManualClock()) == 2


def test_a_pid_that_came_back_after_a_reboot_is_not_its_old_owner(ledger: Ledger) -> None:
    me = {"host": socket.gethostname(), "pid": os.getpid(), "start": start_time(os.getpid()) or ""}
    hold_as(ledger, **me, boot="another boot", expires=1e12)
    assert acquire(ledger, command="run", clock=ManualClock()) == 2


def test_a_pid_that_was_given_to_another_process_is_not_its_old_owner(ledger: Ledger) -> None:
    hold_as(ledger, host=socket.gethostname(), boot=boot_id(), pid=os.getpid(), start="1", expires=1e12)
    assert acquire(ledger, command="run", clock=ManualClock()) == 2


@pytest.mark.parametrize("space", ["pid:[1]", ""])
def test_a_process_of_another_container_holds_until_its_lease_expires(ledger: Ledger, space: str) -> None:
    clock = ManualClock(now=5000.0)
    hold_as(ledger, host=socket.gethostname(), boot=boot_id(), pid=1_000_000, start="1", expires=5100)
    ledger.db.execute("UPDATE lease SET space = ?", (space,))
    with pytest.raises(Held):
        acquire(ledger, command="run", clock=clock)
    clock.turn(101)
    assert acquire(ledger, command="run", clock=clock) == 2


def test_a_process_of_an_older_penstock_is_looked_for_here(ledger: Ledger) -> None:
    hold_as(ledger, host=socket.gethostname(), boot=boot_id(), pid=1_000_000, start="1", expires=1e12)
    assert acquire(ledger, command="run", clock=ManualClock()) == 2


def test_another_host_s_lease_holds_until_it_expires_and_no_longer(ledger: Ledger) -> None:
    clock = ManualClock(now=5000.0)
    hold_as(ledger, host="elsewhere", boot="-", pid=1, start="1", expires=5000.0 + LASTS_S)
    clock.turn(LASTS_S - 1)
    with pytest.raises(Held, match="elsewhere"):
        acquire(ledger, command="run", clock=clock)
    clock.turn(1)
    assert acquire(ledger, command="run", clock=clock) == 2


def test_a_renewed_lease_lasts_longer_and_one_of_an_older_epoch_is_not_renewed(ledger: Ledger) -> None:
    epoch = acquire(ledger, command="run", clock=ManualClock(now=0.0))
    renew(ledger.db, epoch, 1000.0)
    renew(ledger.db, epoch - 1, 9000.0)
    found = holder(ledger.db)
    assert found
    assert found.expires == 1000.0 + LASTS_S


def test_who_lost_the_lease_cannot_write_and_cannot_give_it_back(ledger: Ledger) -> None:
    ledger.epoch = acquire(ledger, command="run", clock=ManualClock())
    hold_as(ledger, host="elsewhere", boot="-", pid=77, start="1", expires=1e12)
    with pytest.raises(Held, match="was taken over by process 77 on elsewhere"), ledger.transaction():
        pytest.fail("nothing may be written")
    release(ledger.db, ledger.epoch)
    assert holder(ledger.db)


def test_a_transaction_that_fails_leaves_nothing_behind(ledger: Ledger) -> None:
    with suppress(KeyError), ledger.transaction():
        ledger.set_meta("half", "done")
        raise KeyError
    assert ledger.meta("half") is None


def test_held_gives_the_lease_back_also_after_an_error(tmp_path: Path) -> None:
    with suppress(KeyError), held(tmp_path, command="run", clock=ManualClock()) as mine:
        assert holder(mine.db)
        raise KeyError
    with Ledger.open(tmp_path) as after:
        assert holder(after.db) is None


def test_readers_need_no_lease_and_cannot_write(tmp_path: Path) -> None:
    with held(tmp_path, command="run", clock=ManualClock()), Ledger.open(tmp_path, readonly=True) as reader:
        assert reader.meta("nothing") is None
        with pytest.raises(sqlite3.OperationalError):
            reader.set_meta("a", "b")


def test_where_no_thread_can_be_started_the_limit_is_named() -> None:
    thread = threading.Thread(target=int)
    start(thread)
    thread.join()
    with pytest.raises(LedgerError, match="raise the limit on processes"):
        start(thread)

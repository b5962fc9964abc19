"""A process that is not in /proc has ended, unless /proc could not have shown it."""

import os

import pytest

from penstock.host import Process, boot_id, hostname, space_id, this_process

GONE = 1_000_000_000  # above every pid


def test_this_process_lives_and_is_seen() -> None:
    me = this_process()
    assert (me.pid, me.dead, me.seen_from(hostname())) == (os.getpid(), False, True)


def test_a_process_that_is_not_there_any_more_is_dead() -> None:
    gone = Process(hostname(), boot_id(), GONE, "1", space_id())
    assert gone.dead
    assert gone.seen_from(hostname())


def test_a_process_of_an_earlier_boot_is_dead_in_whatever_namespace() -> None:
    gone = Process(hostname(), "another boot", GONE, "1", "pid:[1]")
    assert gone.dead
    assert gone.seen_from(hostname())


@pytest.mark.parametrize(
    "process",
    [
        Process("another host", boot_id(), GONE, "1", space_id()),
        Process(hostname(), boot_id(), GONE, "1", "pid:[1]"),
        Process(hostname(), boot_id(), GONE, "1", ""),
        Process(hostname(), "", GONE, "", ""),
    ],
    ids=["another host", "another namespace", "a hidden namespace", "without /proc"],
)
def test_of_a_process_that_cannot_be_seen_nothing_is_known(process: Process) -> None:
    assert not process.dead
    assert not process.seen_from(hostname())

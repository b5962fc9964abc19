"""The same torture with a network in between: the site is a machine without a scheduler, behind a real SSH server.

Besides those who are hit here, blows fall on the connection at both of its ends, on commands there in the middle of a
question, and on what starts elements there. A person logs in again each time. What dies there without a word is noticed
after three minutes, so runners are hit more rarely.
"""

import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import psutil
import pytest
from tests.cluster.packages import Unavailable
from tests.desk import Desk
from tests.sshd import HOST, Sshd, bring_up, end_connections
from tests.torture.test_kills import (
    DEFINITION,
    KILLS,
    RETRY,
    SEED,
    Torture,
    arguments_of,
    kill,
    test_a_merge_has_all_its_members_once,
    test_a_task_runs_once_for_each_attempt_that_is_recorded_and_succeeds_once,
    test_all_blows_fell_before_the_work_was_over,
    test_every_unit_has_its_products_with_the_right_content,
    test_nothing_else_is_left_on_the_disk,
    test_the_tallies_equal_a_recount,
    test_what_was_done_never_ran_again,
)

__all__ = [
    "test_a_merge_has_all_its_members_once",
    "test_a_task_runs_once_for_each_attempt_that_is_recorded_and_succeeds_once",
    "test_all_blows_fell_before_the_work_was_over",
    "test_every_unit_has_its_products_with_the_right_content",
    "test_nothing_else_is_left_on_the_disk",
    "test_the_tallies_equal_a_recount",
    "test_what_was_done_never_ran_again",
]

SITE = f"""\
[site.far]
host = "{HOST}"
python = "{{python}}"
cores = 3
shared_files = true
visibility = "2s"
"""
OFTEN = 'retry = { lost = 100, error = { times = 100, delays = ["1s"] } }\nbatch = 8\nbatch_wait = "0s"'
CONNECTED = ("master", "connection", "everybody")
LOOK_S = 2.0  # that a command there is awaited which can be hit


class Far(Torture):
    """A campaign here, whose runners are behind `server`."""

    blows_of: ClassVar = {
        "conductor": 12, "master": 6, "connection": 4, "session": 10, "supervisor": 12, "task": 6, "runner": 1, "everybody": 1,
    }  # fmt: skip
    patience_s = 900.0

    def __init__(self, root: Path, server: Sshd) -> None:
        self.server, self.desk = server, Desk(server.there)
        self.state = Path(tempfile.mkdtemp(prefix="penstock-ssh-"))
        local = "[site.local]\ncores = 3\n"
        site = SITE.format(python=sys.executable)
        self.definition = DEFINITION.replace(local, site).replace(RETRY, OFTEN)
        self.definition = self.definition.replace('name = "torture"', 'name = "torture"\nsite = "far"')
        super().__init__(root)
        self.log_in()

    @property
    def environment(self) -> dict[str, str]:
        """Our own, with another ~/.ssh/config."""
        own = {"PENSTOCK_STATE": str(self.state), "PENSTOCK_SSH_CONFIG": str(self.server.config)}
        return {**super().environment, **own}

    def log_in(self) -> None:
        """Log in as a person does, who sees that it is needed."""
        words = ["site", "login", "far"]
        with self.output.open("ab") as output:
            argv = [sys.executable, "-m", "penstock", *words]
            psutil.Popen(argv, cwd=self.root, env=self.environment, stdout=output, stderr=output).wait(60)

    def victims(self, blow: str) -> list[int]:
        match blow:
            case "master":
                return [p.pid for p in psutil.process_iter() if self.is_master(p)]
            case "connection":
                return [p.pid for p in self.connections()]
            case "session":
                return self.session()
            case "supervisor":
                return [p.pid for p in self.desk.supervisors()]
            case "everybody":
                mine = [pid for each in ("master", "supervisor") for pid in self.victims(each)]
                return [*mine, *super().victims(blow)]
            case _:
                return super().victims(blow)

    def is_master(self, process: psutil.Process) -> bool:
        words = arguments_of(process)
        return "-fNMTa" in words and any(str(self.state) in word for word in words)

    def connections(self) -> list[psutil.Process]:
        """Return the processes of the server that have a connection each."""
        process = self.server.daemon.process
        return process.children() if process else []

    def session(self) -> list[int]:
        """Wait for a command there that answers a question, and return it."""
        until = time.monotonic() + LOOK_S
        while time.monotonic() < until:
            if found := [child.pid for each in self.connections() for child in each.children()]:
                return found[:1]
            time.sleep(0.001)
        return []

    def strike(self) -> None:
        """Kill somebody, and log in where that ended the connection."""
        before = self.blows.copy()
        super().strike()
        if any(self.blows[blow] > before[blow] for blow in CONNECTED):
            self.log_in()

    def close(self) -> None:
        """End all that is there."""
        self.desk.end()
        end_connections(self.state)
        shutil.rmtree(self.state)
        self.server.down()


@pytest.fixture(scope="module")
def torture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Far]:
    print(f"PENSTOCK_SEED={SEED} PENSTOCK_KILLS={KILLS}")
    folder = tmp_path_factory.mktemp("far")
    try:
        server = bring_up(folder / "sshd")
    except Unavailable as reason:
        pytest.skip(f"sshd: {reason}")
    (folder / "campaign").mkdir()
    tortured = Far(folder / "campaign", server)
    try:
        tortured.run()
        print(dict(tortured.blows))
        yield tortured
    finally:
        if tortured.conductor.poll() is None:
            kill(tortured.conductor.pid)
        tortured.close()


def test_nobody_logged_in_but_the_person(torture: Far) -> None:
    logged_in, failed = torture.server.logins()
    assert failed == 0
    assert logged_in <= 1 + sum(torture.blows[blow] for blow in CONNECTED)


def test_nothing_is_left_running_there(torture: Far) -> None:
    assert torture.desk.supervisors() == []
    assert torture.desk.living() == set(), torture.story()

"""The same torture with a network in between: the site is a machine without a scheduler, behind a real SSH server.

The campaign's folder is seen there, or files travel. Besides those who are hit here, blows fall on the connection at both
of its ends, on commands there in the middle of a question or of a transfer, and on what starts elements there. A person
logs in again each time. `PENSTOCK_KILLS` says how often for each form; without it they share 25 kills, none of them of
runners, which is noticed after minutes.
"""

import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from tests.cluster.packages import Unavailable
from tests.desk import Desk
from tests.sshd import HOST, Sshd, bring_up, end_connections
from tests.torture.test_kills import (
    RETRY,
    SEED,
    Ticked,
    Torture,
    arguments_of,
    keep_no_big_folder,
    kept_of,
    kill,
    test_a_merge_has_all_its_members_once,
    test_a_task_runs_once_for_each_attempt_that_is_recorded_and_succeeds_once,
    test_all_blows_fell_before_the_work_was_over,
    test_every_unit_has_its_products_with_the_right_content,
    test_nothing_else_is_left_on_the_disk,
    test_the_tallies_equal_a_recount,
    test_what_was_done_never_ran_again,
    word,
)

__all__ = [
    "keep_no_big_folder",
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
cores = 3
visibility = "2s"
"""
OFTEN = 'retry = { lost = 100, error = { times = 100, delays = ["1s"] } }\nbatch = 8\nbatch_wait = "0s"'
SLOW = ("runner", "everybody")  # noticed after minutes, since they die there without a word
CONNECTED = ("master", "connection", "everybody")
LOOK_S = {"session": 2.0, "transfer": 10.0}  # that a command there is awaited which can be hit
LARGE, LARGE_EACH = 4 << 20, 16  # bytes of a file that travels, and of how many units one has such a file


class Far(Torture):
    """A campaign here, whose runners are behind `server`, where its folder is seen, too."""

    blows_of: Mapping[str, int] = {
        "conductor": 12, "master": 6, "connection": 4, "session": 10, "supervisor": 12, "task": 6, "runner": 1, "everybody": 1,
    }  # fmt: skip
    patience_s = 900.0

    def __init__(self, root: Path, kills: int, server: Sshd) -> None:
        self.server, self.desk = server, Desk(server.there)
        self.state = Path(tempfile.mkdtemp(prefix="penstock-ssh-"))
        super().__init__(root, kills)
        self.log_in()

    def definition(self) -> str:
        text = super().definition().replace("[site.local]\ncores = 3\n", self.site()).replace(RETRY, OFTEN)
        return text.replace('name = "torture"', 'name = "torture"\nsite = "far"')

    def site(self) -> str:
        return f'{SITE}python = "{sys.executable}"\nshared_files = true\n'

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
                return self.connections()
            case "session" | "transfer":
                return self.session(blow)
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

    def connections(self) -> list[int]:
        """Return the processes of the server that have a connection each."""
        process = self.server.daemon.process
        return started_by(process.pid) if process else []

    def session(self, blow: str) -> list[int]:
        """Wait for a command there that answers a question, and return it."""
        until = time.monotonic() + LOOK_S[blow]
        while time.monotonic() < until:
            found = [command for each in self.connections() for command in started_by(each)]
            if found and (blow != "transfer" or self.is_transferring()):
                return found[:1]
            time.sleep(0.001)
        return []

    def is_transferring(self) -> bool:
        """Whether a file is under way."""
        return False

    def strike(self) -> None:
        """Kill somebody, and log in where that ended the connection."""
        before = self.blows.copy()
        super().strike()
        if any(self.blows[blow] > before[blow] for blow in CONNECTED):
            self.log_in()

    def end(self) -> int | str:
        """Let `run` go on until the jobs of killed runners are over, too, which is noticed after their tasks were done again."""
        until = time.monotonic() + self.patience_s
        code = super().end()
        while code == 0 and self.rows("SELECT 1 FROM job WHERE state <> 'finished' LIMIT 1"):
            if time.monotonic() > until:
                return "a job is never over"
            time.sleep(1)
            self.conductor = self.start("run")
            code = super().end()
        return code

    def close(self) -> None:
        """End all that is there."""
        self.desk.end()
        end_connections(self.state)
        shutil.rmtree(self.state)
        self.server.down()


def started_by(pid: int) -> list[int]:
    """Return the children of a process, in no time: a transfer is over soon."""
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii")
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [int(child) for child in text.split()]


class Travelling(Far):
    """The same where files travel, some of them large."""

    blows_of: Mapping[str, int] = {**Far.blows_of, "transfer": 12}

    def definition(self) -> str:
        return super().definition().replace('"{product}"]', '"{product}", "{path}"]', 1)

    def site(self) -> str:
        return f'{SITE}python = "{sys.executable}"\nworkdir = "{self.work}"\n'

    @property
    def work(self) -> Path:
        """The work folder there."""
        return self.server.there / "work"

    def write_files(self) -> None:
        super().write_files()
        (self.root / "raw").mkdir()
        rows = list[str]()
        for unit in self.units:
            (self.root / f"raw/{unit}.txt").write_text(self.raw(unit))
            rows.append(f"{unit},{word(unit)},raw/{unit}.txt\n")
        (self.root / "units.csv").write_text("unit,word,path\n" + "".join(rows))

    def raw(self, unit: int) -> str:
        size = 100 if unit % LARGE_EACH else LARGE
        return f"{unit} {random.Random(unit).randbytes(size // 2).hex()}\n"

    @property
    def jobs(self) -> str:
        return str(self.work)

    @property
    def scratch(self) -> Path:
        return next(self.work.glob("*/files/.penstock/scratch"), self.work)

    def is_transferring(self) -> bool:
        drafts = (self.work.glob("store/*/.*"), (self.root / "out").glob("*/.*.txt.*"))
        with suppress(FileNotFoundError):  # what is looked at comes and goes
            return any(map(any, drafts))
        return False


class TickedTravelling(Ticked, Travelling):
    """The same, where no conductor knows more than the record."""


#: the forms, and how often there are blows if nobody says it
FORMS = {Far: 7, Travelling: 9, TickedTravelling: 9}


@pytest.fixture(scope="module", params=FORMS, ids=lambda form: form.__name__)
def torture(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Far]:
    kills = int(os.environ.get("PENSTOCK_KILLS", FORMS[request.param]))
    print(f"PENSTOCK_SEED={SEED} PENSTOCK_KILLS={kills}")
    folder = tmp_path_factory.mktemp("far")
    try:
        server = bring_up(folder / "sshd")
    except Unavailable as reason:
        pytest.skip(f"sshd: {reason}")
    (folder / "campaign").mkdir()
    tortured = request.param(folder / "campaign", kills, server)
    if "PENSTOCK_KILLS" not in os.environ:
        tortured.blows_of = {blow: n for blow, n in tortured.blows_of.items() if blow not in SLOW}
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


def test_nothing_is_left_in_the_home_there_but_what_a_person_was_told_of(torture: Far) -> None:
    there, told = torture.server.there, [torture.scratch / name for name in kept_of(torture)]
    ours = [there / ".cache", there / ".local", *told]
    left = [path for path in there.rglob("*") if not any(path.is_relative_to(folder) for folder in ours)]
    ways = {there / "work"}.union(*(folder.parents for folder in told))
    assert set(left) <= ways, torture.story()

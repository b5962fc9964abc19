"""A campaign that is killed with kill -9, whoever is at work and whenever, and always goes on with the same command.

It is driven by one long `run`, and by one `tick` after another, as from cron: each turn then has a new conductor.
`PENSTOCK_KILLS` says how often (`make torture`: 200). Each failure prints the seed: `PENSTOCK_SEED` repeats it.
"""

import json
import os
import random
import re
import secrets
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from penstock.ledger.archive import read_stretch

KILLS = int(os.environ.get("PENSTOCK_KILLS", "25"))
SEED = int(os.environ.get("PENSTOCK_SEED") or secrets.randbelow(10**6))
PATIENCE_S = 120.0
ROUNDED_S = 0.0005  # the ledger has times in milliseconds
TOLD = 3  # units whose whole history a failure tells
TOLD_LINES = 60

#: whom a blow may hit, and how often
BLOWS = {"conductor": 3, "runner": 4, "task": 4, "everybody": 1}

EXPANDED, PARTS = 20, 3

# Each blow may hit the same unit again, however small the chance: here retries must not run out.
RETRY = "retry = { lost = 100, error = 100 }"
DEFINITION = f"""
[campaign]
name = "torture"
levels = ["unit", "part"]
[units]
table = "units.csv"
types = {{ unit = "int" }}
[site.local]
cores = 3
[stage.a]
each = "unit"
command = ["sh", "make.sh", "a", "{{unit}}", "{{word}}", "{{product}}"]
products = "out/a/{{unit}}.txt"
{RETRY}
[stage.b]
each = "unit"
after = "a"
workers = 2
command = ["sh", "make.sh", "b", "{{unit}}", "{{word}}", "{{product}}", "{{inputs.a}}"]
products = "out/b/{{unit}}.txt"
{RETRY}
[stage.p]
each = "unit"
after = "a"
python = "lab:work"
products = {{ text = "out/p/{{unit}}.txt", parts = {{ path = "out/parts/{{unit}}", folder = true }} }}
{RETRY}
[stage.q]
each = "unit"
with = "p"
scratch = true
python = "lab:follow"
products = "out/q/{{unit}}.txt"
{RETRY}
[stage.e]
each = "unit"
where = "unit <= {EXPANDED}"
python = "lab:expand"
expands = "part"
{RETRY}
[stage.x]
each = "part"
command = ["sh", "make.sh", "x", "{{unit}}.{{part}}", "{{area}}", "{{product}}"]
products = "out/x/{{unit}}/{{part}}.txt"
{RETRY}
[stage.all]
each = "campaign"
after = ["b", "q", "x"]
command = ["sh", "merge.sh", "{{product}}", "{{inputs_file.b}}"]
products = "out/all.txt"
{RETRY}
"""

MAKE = """\
echo "$1 $2 $(date +%s.%N)" >> 'RUNS'
printf half > "$4"
sleep 0.0$(( ${2%%.*} % 5 ))
{ echo "$1 $3"; [ -z "$5" ] || cat "$5"; } > "$4"
"""

MERGE = """\
echo "all  $(date +%s.%N)" >> 'RUNS'
printf half > "$1"
while read -r path; do cat "$path" || exit 1; done < "$2" > "$1"
"""

LAB = f"""\
import os, time
from pathlib import Path

def note(stage, task):
    run = os.open("RUNS", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(run, f"{{stage}} {{task.key[0]}} {{time.time()}}\\n".encode())
    os.close(run)

def work(task):
    note("p", task)
    task.product("parts").mkdir()
    for part in range(3):
        (task.product("parts") / str(part)).write_text(task.fields["word"])
    task.product("text").write_text("half")
    time.sleep(0.005)
    task.product("text").write_text("p " + task.input("a").read_text())

def follow(task):
    note("q", task)
    Path("rest").write_text("of no use")
    task.product().write_text("q " + task.input("p.text").read_text())

def expand(task):
    note("e", task)
    for part in range({PARTS}):
        task.expand(part=part, area=10 * part)
"""


def word(unit: int) -> str:
    return f"word-{unit * 7919 % 10007}"


class Torture:
    """A campaign in `root`, and the blows that it gets; tasks write into the file `runs` that they begin."""

    blows_of, patience_s = BLOWS, PATIENCE_S

    def __init__(self, root: Path, kills: int) -> None:
        self.root, self.kills, self.random = root, kills, random.Random(SEED)
        self.units = range(1, 31 + 6 * kills)
        self.tasks_in_all = 4 * len(self.units) + EXPANDED * (1 + PARTS) + 1
        self.blows = Counter[str]()
        self.output, self.runs = root.with_suffix(".out"), root.with_suffix(".runs")
        self.conductor: subprocess.Popen[bytes]
        self.write_files()

    def definition(self) -> str:
        return DEFINITION

    def write_files(self) -> None:
        """Write the definition, the programs, and what the source finds."""
        texts = {"penstock.toml": self.definition(), "make.sh": MAKE, "merge.sh": MERGE, "lab.py": LAB}
        for name, text in texts.items():
            (self.root / name).write_text(text.replace("RUNS", str(self.runs)))
        rows = "".join(f"{unit},{word(unit)}\n" for unit in self.units)
        (self.root / "units.csv").write_text("unit,word\n" + rows)

    def raw(self, unit: int) -> str:
        """Return what is in a unit's own file, if it has one."""
        return ""

    def products_of(self, unit: int) -> dict[str, str]:
        """Return what a unit's products must be."""
        first = f"a {word(unit)}\n{self.raw(unit)}"
        return {
            f"a/{unit}.txt": first,
            f"b/{unit}.txt": f"b {word(unit)}\n{first}",
            f"p/{unit}.txt": f"p {first}",
            f"q/{unit}.txt": f"q p {first}",
            **{f"parts/{unit}/{part}": word(unit) for part in range(3)},
            **{f"x/{unit}/{part}.txt": f"x {10 * part}\n" for part in range(PARTS) if unit <= EXPANDED},
        }

    @property
    def environment(self) -> dict[str, str]:
        return dict(os.environ)

    def start(self, command: str = "run") -> subprocess.Popen[bytes]:
        with self.output.open("ab") as output:
            argv = [sys.executable, "-m", "penstock", command]
            return subprocess.Popen(argv, cwd=self.root, env=self.environment, stdout=output, stderr=output)

    def goes_on(self) -> bool:
        """Whether there is a conductor, and so something to do."""
        return self.conductor.poll() is None

    def runners(self) -> list[psutil.Process]:
        """Return the processes that run jobs of this campaign, forked workers too."""
        return [p for p in psutil.process_iter() if any(self.jobs in word for word in arguments_of(p))]

    @property
    def jobs(self) -> str:
        """The folder of jobs, which runners are started with."""
        return str(self.root / ".penstock" / "jobs")

    @property
    def scratch(self) -> Path:
        """The folder in which tasks have private ones."""
        return self.root / ".penstock" / "scratch"

    def tasks(self) -> list[psutil.Process]:
        """Return the processes at work on tasks: forked workers, and commands with what they started."""
        return [child for runner in self.runners() for child in children_of(runner)]

    def victims(self, blow: str) -> list[int]:
        runners = [p.pid for p in self.runners() if p.pid not in {child.pid for child in self.tasks()}]
        tasks = [p.pid for p in self.tasks()]
        conductors = [self.conductor.pid] * (self.conductor.poll() is None)
        match blow:
            case "conductor":
                return conductors
            case "runner":
                return self.random.sample(runners, min(1, len(runners)))
            case "task":
                return self.random.sample(tasks, min(1, len(tasks)))
            case _:
                return [*conductors, *runners, *tasks]

    def strike(self) -> None:
        """Kill somebody; a conductor that was hit is followed by another one."""
        [blow] = self.random.choices(list(self.blows_of), list(self.blows_of.values()))
        victims = self.victims(blow)
        for pid in victims:
            kill(pid)
        self.blows[blow] += bool(victims)
        if self.conductor.pid in victims:
            self.conductor.wait()
            self.conductor = self.start()

    def run(self) -> None:
        """Run to the end, under blows."""
        self.conductor = self.start()
        while sum(self.blows.values()) < self.kills and self.goes_on():
            if self.random.random() < 0.7:
                self.wait_for_work()
            time.sleep(self.random.choice([0.02, 0.1, 0.5]) * self.random.random())
            if self.goes_on():
                self.strike()
        assert self.end() == 0, self.story(self.failed())

    def end(self) -> int | str:
        """Return the exit code of the last conductor; one that hangs is ended, with all that it started."""
        try:
            return self.conductor.wait(self.patience_s)
        except subprocess.TimeoutExpired:
            for pid in self.victims("everybody"):
                kill(pid)
            return f"still at work after {self.patience_s:g} s"

    def wait_for_work(self) -> None:
        """Spread the blows over the work, however quick it goes."""
        share = 0.9 * self.tasks_in_all * sum(self.blows.values()) / self.kills
        while self.goes_on() and len(runs_of(self)) < share:
            time.sleep(0.01)

    def story(self, units: Iterable[int] = ()) -> str:
        """Return what a person needs to see what went wrong, with all that is known of some units."""
        tail = self.output.read_text(errors="replace")[-3000:]
        told = "\n".join(self.history(unit) for unit in sorted(units)[:TOLD])
        return f"PENSTOCK_SEED={SEED}, blows {dict(self.blows)}, in {self.root}:\n{tail}\n{told}"

    def failed(self) -> list[int]:
        """Return the units that have a failed task."""
        sql = "SELECT DISTINCT u.key FROM task t JOIN unit u ON u.id = t.unit WHERE t.state = 'failed' AND u.level > 0"
        return [json.loads(key)[0] for (key,) in self.rows(sql)]

    def history(self, unit: int) -> str:
        """Return a unit's tasks, attempts and products as the ledger has them, its files, and every event of it."""
        [(number,)] = self.rows(f"SELECT id FROM unit WHERE level = 1 AND key = '[{unit}]'")
        under = f"unit IN (SELECT id FROM unit WHERE g1 = {number})"
        lines = [f"== unit {unit}, {number} in the ledger; stages {self.rows('SELECT id, name FROM stage')}"]
        lines += [f"{table} {row}" for table in ("task", "product") for row in self.facts(table, under)]
        lines += [f"attempt {row}" for row in self.facts("attempt", under)][:TOLD_LINES]
        lines += [
            stat_line(path) for path in sorted((self.root / "out").rglob(f"{unit}*")) if named(path, unit)
        ]
        return "\n".join([*lines, *(str(event) for event in self.events_of(number))])

    def facts(self, table: str, where: str) -> Iterator[str]:
        columns = [column[1] for column in self.rows(f"PRAGMA table_info({table})")]
        for row in self.rows(f"SELECT * FROM {table} WHERE {where} ORDER BY 1, 2"):
            yield str({name: value for name, value in zip(columns, row, strict=True) if value is not None})

    def events_of(self, number: int) -> list[dict[str, Any]]:
        """Return the events that name a unit, and how the jobs ended that have some, by time."""
        found: list[dict[str, Any]] = []
        for path in (self.root / ".penstock" / "jobs").glob("p*"):
            data = read_stretch(path.with_suffix("") / "1.1.jsonl", 0, -1) or b""
            events = [json.loads(line) for line in data.splitlines(keepends=True) if line.endswith(b"\n")]
            mine = [event for event in events if event.get("u") == number]
            found += [*mine, events[-1]] if mine else []
        return sorted(found, key=lambda event: event["at"])[:TOLD_LINES]

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with sqlite3.connect(self.root / ".penstock" / "ledger.sqlite") as db:
            return db.execute(sql).fetchall()


class Ticked(Torture):
    """The same by one `tick` after another: no conductor knows more than the record."""

    def start(self, command: str = "tick") -> subprocess.Popen[bytes]:
        return super().start(command)

    def goes_on(self) -> bool:
        """Whether there is something to do; a conductor that has left is followed by another one then."""
        if self.conductor.poll() is not None and not self.all_done():
            self.conductor = self.start()
        return self.conductor.poll() is None

    def all_done(self) -> bool:
        if not (self.root / ".penstock" / "ledger.sqlite").exists():
            return False
        return self.rows("SELECT count(*) FROM task WHERE state = 'done'") == [(self.tasks_in_all,)]

    def end(self) -> int | str:
        """Tick until all is done, and let a `run` find that it is."""
        until = time.monotonic() + self.patience_s
        while self.goes_on() and time.monotonic() < until:
            time.sleep(0.05)
        self.conductor.wait(self.patience_s)
        self.conductor = self.start("run")
        return super().end()


def arguments_of(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def children_of(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def named(path: Path, unit: int) -> bool:
    """Whether a file or folder is a unit's, of whatever stage."""
    return path.name.partition(".")[0] == str(unit)


def stat_line(path: Path) -> str:
    found = path.stat()
    return f"{path}: inode {found.st_ino}, {found.st_size} bytes, {found.st_mtime:.3f}"


def kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


@pytest.fixture(scope="module", params=[Torture, Ticked], ids=["run", "tick after tick"])
def torture(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Torture:
    print(f"PENSTOCK_SEED={SEED} PENSTOCK_KILLS={KILLS}")
    root = tmp_path_factory.mktemp("torture") / "campaign"
    root.mkdir()
    tortured = request.param(root, KILLS)
    tortured.run()
    return tortured


def test_all_blows_fell_before_the_work_was_over(torture: Torture) -> None:
    assert sum(torture.blows.values()) == torture.kills, torture.story()


def test_every_unit_has_its_products_with_the_right_content(torture: Torture) -> None:
    wrong: dict[int, list[str]] = {}
    for unit in torture.units:
        expected = torture.products_of(unit).items()
        if other := [name for name, text in expected if text_of(torture.root / "out" / name) != text]:
            wrong[unit] = other
    assert not wrong, torture.story(wrong)


def test_a_merge_has_all_its_members_once(torture: Torture) -> None:
    merged = (torture.root / "out/all.txt").read_text().splitlines()
    members = [torture.products_of(unit)[f"b/{unit}.txt"] for unit in torture.units]
    assert Counter(merged) == Counter("".join(members).splitlines()), torture.story()


def test_nothing_else_is_left_on_the_disk(torture: Torture) -> None:
    not_over = [token for (token,) in torture.rows("SELECT token FROM job WHERE state <> 'finished'")]
    private = [*(torture.root / "out").rglob(".penstock")]
    left = [path for folder in private for path in [*folder.iterdir()] or [folder]]
    left = [path for path in left if path.name.partition(".")[0] not in not_over]
    assert not left, f"{left}\n{torture.story()}"
    known = re.compile(r"ledger\.sqlite(-wal|-shm|-closed)?|now|jobs|scratch|runner-\w+\.pyz|p\w{10}\.zip")
    folders = [torture.root / ".penstock", torture.root / ".penstock/jobs", torture.scratch]
    names = {path.name for folder in folders for path in folder.glob("*")}.difference(not_over)
    strange = {name for name in names if not known.fullmatch(name)}
    assert strange == kept_of(torture), torture.story()


def test_what_was_done_never_ran_again(torture: Torture) -> None:
    done = {(stage, key): ended for stage, key, outcome, ended in attempts_of(torture) if outcome == "ok"}
    again = [run for run in runs_of(torture) if run[2] > done[run[:2]] + ROUNDED_S]
    assert not again, torture.story(units_of(again))
    assert len(done) == torture.tasks_in_all


def test_a_task_runs_once_for_each_attempt_that_is_recorded_and_succeeds_once(torture: Torture) -> None:
    recorded = Counter((stage, key) for stage, key, _, _ in attempts_of(torture))
    ran = Counter((stage, key) for stage, key, _ in runs_of(torture))
    assert not ran - recorded, torture.story(units_of(ran - recorded))
    succeeded = Counter((stage, key) for stage, key, outcome, _ in attempts_of(torture) if outcome == "ok")
    assert set(succeeded.values()) == {1}, torture.story(units_of(succeeded - Counter(set(succeeded))))


def test_the_tallies_equal_a_recount(torture: Torture) -> None:
    counted = torture.rows("SELECT stage, state, count(*) FROM task GROUP BY 1, 2 ORDER BY 1, 2")
    tallied = torture.rows("SELECT stage, state, n FROM tally WHERE unit = 1 AND n <> 0 ORDER BY 1, 2")
    assert tallied == counted, torture.story()


def test_a_failure_would_tell_all_that_is_known_of_a_unit(torture: Torture) -> None:
    # one whose element was not killed, or there was nobody to tell of its end
    unit = next(unit for unit in torture.units if "'e': 'leave'" in torture.history(unit))
    story = torture.story([unit])
    for fact in (
        f"'path': 'out/p/{unit}.txt'",
        "'outcome': 'ok'",
        f"/out/p/{unit}.txt: inode",
        "'e': 'end'",
    ):
        assert fact in story


def test_no_process_is_left_over(torture: Torture) -> None:
    marks = {f"PENSTOCK={token}/1/1" for (token,) in torture.rows("SELECT token FROM job")}
    left = [p.pid for p in psutil.process_iter() if marks & environment_of(p)]
    assert not left, torture.story()


def kept_of(torture: Torture) -> set[str]:
    """Return the scratch folders into which people were told to look."""
    told = torture.rows("SELECT why FROM attempt WHERE instr(why, 'its scratch folder is kept')")
    return {why.rpartition("/")[2] for (why,) in told}


def runs_of(torture: Torture) -> list[tuple[str, str, float]]:
    """Return what the tasks themselves wrote: (stage, key, when it began)."""
    text = torture.runs.read_text() if torture.runs.exists() else ""
    lines = text[: text.rfind("\n") + 1].splitlines()  # the last one may be half written
    return [(stage, key, float(at)) for stage, key, at in (line.split(" ") for line in lines)]


def attempts_of(torture: Torture) -> list[tuple[str, str, str, float]]:
    """Return what the ledger says of the same: (stage, key, outcome, when it ended)."""
    rows = torture.rows(
        "SELECT s.name, trim(replace(u.key, ',', '.'), '[]'), a.outcome, a.ended FROM attempt a"
        " JOIN stage s ON s.id = a.stage JOIN unit u ON u.id = a.unit"
    )
    return [(str(stage), str(key), str(outcome), float(ended)) for stage, key, outcome, ended in rows]


def units_of(tasks: Iterable[tuple[Any, ...]]) -> set[int]:
    """Return the units of (stage, key, …); the whole campaign's tasks have none."""
    return {int(key.partition(".")[0]) for _, key, *_ in tasks if key}


def text_of(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


def environment_of(process: psutil.Process) -> set[str]:
    try:
        return {f"{name}={value}" for name, value in process.environ().items()}
    except psutil.Error:
        return set()


@pytest.fixture(scope="module", autouse=True)
def keep_no_big_folder(torture: Torture, request: pytest.FixtureRequest) -> Iterator[None]:
    """Remove the campaign, but not that of a failure."""
    before = request.session.testsfailed
    yield
    if request.session.testsfailed == before:
        shutil.rmtree(torture.root)

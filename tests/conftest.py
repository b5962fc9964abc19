"""A ledger filled by hand, for the tests of what only reads it; and which tests must not run at once."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from tests.skips import summarize
from tests.started import Started, hear_signals
from xdist.scheduler import LoadScopeScheduling

from penstock.ledger import Ledger

# The same examples each time, so that a red run means a change; PENSTOCK_EXAMPLES=random looks for new ones.
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("random", deadline=None)
settings.load_profile(os.environ.get("PENSTOCK_EXAMPLES", "same"))
hear_signals()

WAITING = ("tests/cluster/", "tests/far/")

# A kill of a process, unlike one of a machine, does not ask for flushes: in memory these cost nothing.
MEMORY, ROOM = "/dev/shm", 4 << 30
if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", MEMORY)


class Record:
    """Writes rows as the conductor would."""

    def __init__(
        self, root: Path, levels: tuple[str, ...] = ("night", "run"), formats: dict[str, str] | None = None
    ):
        self.root, self.levels = root, levels
        self.ledger = Ledger.open(root, create=True)
        self.db = self.ledger.db
        frozen = {
            "name": "winter",
            "levels": levels,
            "formats": {"run": "05d"} if formats is None else formats,
            "types": {"run": "int"},
            "sites": {"slurm": {"scheduler": "slurm"}},
            "stages": [],
        }
        self.insert("definition", id=1, digest="d", text=json.dumps(frozen), at=0.0)
        self.ledger.set_meta("name", "winter")
        self.ledger.set_meta("definition", "1")

    def insert(self, table: str, **values: Any) -> int:
        marks = ", ".join("?" * len(values))
        columns = ", ".join(values)
        self.db.execute(f"INSERT INTO {table} ({columns}) VALUES ({marks})", tuple(values.values()))
        return self.db.execute("SELECT last_insert_rowid()").fetchone()[0]

    def stage(self, name: str, level: int, **definition: Any) -> int:
        position = self.db.execute("SELECT count(*) FROM stage").fetchone()[0]
        frozen = {"name": name, "level": level, **definition}
        return self.insert(
            "stage", name=name, level=level, position=position, digest=name, definition=json.dumps(frozen)
        )

    def unit(self, *key: Any, **columns: Any) -> int:
        groups = {}
        for level in range(1, len(key)):
            text = json.dumps(key[:level], separators=(",", ":"))
            row = self.db.execute("SELECT id FROM unit WHERE level = ? AND key = ?", (level, text)).fetchone()
            groups[f"g{level}"] = row[0] if row else self.unit(*key[:level], origin="group")
        text = json.dumps(key, separators=(",", ":"), ensure_ascii=False)
        unit = self.insert("unit", level=len(key), key=text, **groups, **{"origin": "source", **columns})
        self.db.execute(f"UPDATE unit SET g{len(key)} = id WHERE id = ?", (unit,))
        return unit

    def task(self, stage: int, unit: int, state: str, **columns: Any) -> None:
        self.insert("task", stage=stage, unit=unit, state=state, **columns)
        groups = self.db.execute("SELECT 1, g1, g2, g3 FROM unit WHERE id = ?", (unit,)).fetchone()
        for name in (state, "stale") if columns.get("stale") else (state,):
            for group in {g for g in groups if g}:
                self.db.execute(
                    "INSERT INTO tally VALUES (?, ?, ?, 1) ON CONFLICT DO UPDATE SET n = n + 1",
                    (stage, group, name),
                )

    def attempt(self, stage: int, unit: int, outcome: str, **columns: Any) -> int:
        return self.insert("attempt", stage=stage, unit=unit, outcome=outcome, **{"ended": 1000.0, **columns})

    def job(self, **columns: Any) -> int:
        token = f"p{self.db.execute('SELECT count(*) FROM job').fetchone()[0]}"
        row = {
            "token": token,
            "site": "local",
            "epoch": 1,
            "elements": 1,
            "feed": 1,
            "folder": "jobs",
            "state": "finished",
            "created": 1.0,
        }
        return self.insert("job", **{**row, **columns})

    def array(self, stage: int, *elements: dict[str, Any], site: str = "slurm", **columns: Any) -> int:
        """A job array that is out: for each element what the scheduler said, and with `tasks` (ids of units) its batch."""
        row = {"site": site, "native": "4711", "state": "submitted", "submitted": 1000.0, "feed": 0}
        job = self.job(**{**row, "elements": len(elements), **columns})
        for number, given in enumerate(elements, 1):
            said = {key: value for key, value in given.items() if key not in ("units", "life")}
            self.insert("element", job=job, element=number, **said)
            units = given.get("units", ())
            batch = self.insert(
                "batch",
                job=job,
                element=number,
                number=1,
                stage=stage,
                size=len(units),
                cores=1,
                state="planned",
                at=1000.0,
            )
            for unit in units:
                self.db.execute(
                    "UPDATE task SET batch = ? WHERE stage = ? AND unit = ?", (batch, stage, unit)
                )
            if life := given.get("life"):
                self.insert("life", job=job, element=number, life=1, native="4711", **life)
        return job


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling | None:
    """Give all tests on real clusters to one process, for the clusters have ports; each other test to any.

    Those at the other end of a cable have one of their own: both wait more than they work, so a third process can work.
    """
    # pytest-xdist 3.8 has groups for this, but pytest 9.2 has taken away what they stood on.
    return OneForEach(config, log) if config.getvalue("dist") == "load" else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say in one line what was skipped and how to have it."""
    skipped = terminalreporter.stats.get("skipped", [])
    if line := summarize(report.longrepr[2] for report in skipped):
        terminalreporter.write_line(line)


class OneForEach(LoadScopeScheduling):
    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith("tests/torture/"):  # of one long campaign there are many tests
            return nodeid.partition("::")[0]
        return next((folder for folder in WAITING if nodeid.startswith(folder)), nodeid)


@pytest.fixture
def start() -> Iterator[Started]:
    """Starts commands, and ends them with the test: `process = start(["sleep", "60"])`."""
    with Started() as started:
        yield started


@pytest.fixture
def mount() -> Iterator[Callable[[Path, str], Path]]:
    """Mount a small file system in memory, or mount it anew with other options; needs root."""
    mounted: list[Path] = []

    def make(folder: Path, options: str) -> Path:
        if os.geteuid() != 0:
            pytest.skip("only root may mount a small file system")
        again = "remount," if folder in mounted else ""
        folder.mkdir(exist_ok=True)
        argv = ["mount", "-t", "tmpfs", "-o", again + options, "tmpfs", str(folder)]
        if subprocess.run(argv, capture_output=True, check=False).returncode:
            pytest.skip("this machine does not let us mount a small file system")
        mounted.append(folder)
        return folder

    yield make
    for folder in set(mounted):
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Record]:
    """An empty record of the campaign `winter`: nights with runs."""
    made = Record(tmp_path)
    yield made
    made.ledger.close()


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """A folder on another file system than `tmp_path`."""
    for place in ("/dev/shm", "/var/tmp"):
        if os.access(place, os.W_OK) and os.stat(place).st_dev != os.stat(tmp_path).st_dev:
            with tempfile.TemporaryDirectory(dir=place) as folder:
                yield Path(folder)
            return
    pytest.skip("there is no second file system")


@pytest.fixture
def flushed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What this process flushes, in its order: the paths of files and folders."""
    paths, flush = list[str](), os.fsync

    def noted(descriptor: int) -> None:
        paths.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    return paths

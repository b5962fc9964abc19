"""A campaign in a folder of its own, with real runners; driven in this process, or as people do."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from penstock.conductor import Conductor, Ending
from penstock.config import load
from penstock.errors import LedgerError
from penstock.graph import build
from penstock.ledger import Ledger
from penstock.ledger.check import check_ledger
from penstock.ledger.requests import ask
from penstock.site.processes import end_leftovers
from penstock.units import canonical

HEAD = """\
[campaign]
name = "lab"
levels = ["unit"]
[units]
table = "units.csv"
[site.local]
cores = 2
"""
PATIENCE_S = 30.0


class Lab:
    """One campaign."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.started: list[subprocess.Popen[str]] = []

    def define(self, stages: str, *, head: str = HEAD, units: int = 0) -> "Lab":
        """Write the definition, and a table of so many units named u1, u2, …"""
        self.write("penstock.toml", head + stages)
        if units:
            self.write("units.csv", "unit\n" + "".join(f"u{n}\n" for n in range(1, units + 1)))
        return self

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def read(self, name: str) -> str:
        return (self.root / name).read_text()

    def conductor(self, **options: object) -> Conductor:
        return Conductor(load(self.root), command="run", **options)

    def run(self, *, stale: bool = False, **options: object) -> Ending:
        """Run to the end in this process."""
        with self.conductor(**options) as conductor:
            return conductor.run(stale=stale)

    def ask(self, action: str, **target: object) -> str:
        return ask(self.root, action, target, "me@here")

    def command(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command as a person does."""
        return subprocess.run(
            [sys.executable, "-m", "penstock", *arguments],
            cwd=self.root,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command and let it work, in a process group of its own as a terminal does."""
        process = subprocess.Popen(
            [sys.executable, "-m", "penstock", *arguments],
            cwd=self.root,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            process_group=0,
        )
        self.started.append(process)
        return process

    def rows(self, sql: str, *parameters: object) -> list[sqlite3.Row]:
        with Ledger.open(self.root, readonly=True) as ledger:
            return ledger.db.execute(sql, parameters).fetchall()

    def states(self, stage: str) -> dict[str, int]:
        """Return how many tasks of a stage are in which state."""
        sql = "SELECT t.state FROM task t JOIN stage s ON s.id = t.stage WHERE s.name = ?"
        return dict(Counter(row[0] for row in self.rows(sql, stage)))

    def task(self, stage: str, *key: object) -> sqlite3.Row:
        sql = "SELECT t.* FROM task t JOIN stage s ON s.id = t.stage JOIN unit u ON u.id = t.unit WHERE s.name = ? AND u.key = ?"
        return self.rows(sql, stage, canonical(key))[0]

    def unit(self, *key: object) -> int:
        return self.rows("SELECT id FROM unit WHERE key = ?", canonical(key))[0][0]

    def outcomes(self, stage: str, *key: object) -> list[str]:
        """Return how the attempts of one task ended, oldest first."""
        sql = (
            "SELECT a.outcome FROM attempt a JOIN stage s ON s.id = a.stage JOIN unit u ON u.id = a.unit"
            " WHERE s.name = ? AND u.key = ? ORDER BY a.id"
        )
        return [row[0] for row in self.rows(sql, stage, canonical(key))]

    def runs(self, name: str = "runs") -> Counter[str]:
        """Return what tasks wrote into a file of theirs, a line a run."""
        path = self.root / name
        return Counter(path.read_text().splitlines() if path.exists() else ())

    def wait_until(self, condition: Callable[[], object], what: str) -> None:
        until = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < until, f"still not: {what}"
            time.sleep(0.02)

    def faults(self) -> list[str]:
        """Return what contradicts itself in the ledger."""
        with Ledger.open(self.root, readonly=True) as ledger:
            ids = {
                name: number
                for number, name in ledger.db.execute("SELECT id, name FROM stage WHERE NOT removed")
            }
            return check_ledger(ledger, build(load(self.root), ids))

    def holder(self) -> int | None:
        """Return the pid of the conductor that holds the campaign."""
        try:
            return self.rows("SELECT pid FROM lease")[0][0]
        except LedgerError:  # nothing has been run yet
            return None


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """An empty campaign folder; whatever a test left running is ended."""
    made = Lab(tmp_path)
    yield made
    for process in made.started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if (tmp_path / ".penstock" / "ledger.sqlite").exists():
        for (token,) in made.rows("SELECT token FROM job WHERE state <> 'finished'"):
            end_leftovers(token)
        assert made.faults() == []

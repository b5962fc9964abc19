"""A campaign on a real cluster, driven as people drive it, with each command of its scheduler counted."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster.base import Cluster

COUNTED = """#!/bin/sh
echo "$(date +%s.%N) {name} $*" >> '{log}'
exec '{program}' "$@"
"""

#: asking and not asking
QUESTIONS = ("squeue", "sacct", "qstat", "qacct", "scontrol", "env", "bjobs")


@dataclass
class Lab:
    """One campaign in `root`."""

    root: Path
    cluster: Cluster
    scheduler: str

    def define(self, stages: str, *, units: int, site: str = "", head: str = "") -> Lab:
        """Write the definition, with this cluster as its site."""
        commands = self.count_commands()
        (self.root / "penstock.toml").write_text(
            f'[campaign]\nname = "lab"\nlevels = ["unit"]\n{head}'
            '[units]\ntable = "units.csv"\ntypes = { unit = "int" }\n'
            f'[site.cluster]\nscheduler = "{self.scheduler}"\ncommands = "{commands}"\n'
            f'python = "/usr/bin/python3"\nvisibility = "2s"\n{site}\n{stages}'
        )
        (self.root / "units.csv").write_text("unit\n" + "".join(f"{n}\n" for n in range(1, units + 1)))
        return self

    def site(self) -> str:
        """Return the table of this cluster as a site called like its scheduler, whose tasks run with this Python."""
        return (
            f'\n[site.{self.scheduler}]\nscheduler = "{self.scheduler}"\ncommands = "{self.count_commands()}"\n'
            f'python = "{sys.executable}"\nvisibility = "200ms"\n'
        )

    def count_commands(self) -> Path:
        """Put a counting command before each of the scheduler's own."""
        folder, log = self.root / "commands", self.root / "commands.log"
        folder.mkdir(exist_ok=True)
        path = self.environment()["PATH"]
        for name in (
            "sbatch",
            "squeue",
            "sacct",
            "scancel",
            "scontrol",
            "qsub",
            "qstat",
            "qacct",
            "qdel",
            "qconf",
        ):
            if program := shutil.which(name, path=path):
                shim = folder / name
                shim.write_text(COUNTED.format(name=name, log=log, program=program))
                shim.chmod(shim.stat().st_mode | stat.S_IXUSR)
        return folder

    def environment(self) -> dict[str, str]:
        """Return the environment of somebody logged in."""
        return {**os.environ, **self.cluster.env, "LEAKED": "a secret of the login shell"}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a conductor."""
        command = [sys.executable, "-m", "penstock", *(arguments or ("run", "--site", "cluster"))]
        with (self.root / "said").open("a") as said:
            return subprocess.Popen(
                command, cwd=self.root, env=self.environment(), stdout=said, stderr=said, text=True
            )

    def run(self, *arguments: str, timeout_s: float = 600.0) -> int:
        """Run a command of penstock to its end."""
        return self.start(*arguments).wait(timeout_s)

    def penstock(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of penstock to its end, and return what it printed."""
        command = [sys.executable, "-m", "penstock", *arguments]
        return subprocess.run(
            command, cwd=self.root, env=self.environment(), capture_output=True, text=True, check=False
        )

    def ask(self, *arguments: str) -> Any:
        """Return what a command of penstock answers with `--json`."""
        command = [sys.executable, "-m", "penstock", *arguments, "--json"]
        return json.loads(
            subprocess.run(
                command, cwd=self.root, env=self.environment(), capture_output=True, check=True
            ).stdout
        )

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Ask the record."""
        with closing(sqlite3.connect(f"file:{self.root}/.penstock/ledger.sqlite?mode=ro", uri=True)) as db:
            return db.execute(sql, values).fetchall()

    def states(self, stage: str) -> dict[str, int]:
        """Return the number of tasks of a stage by state."""
        sql = (
            "SELECT t.state, count(*) FROM task t JOIN stage s ON s.id = t.stage WHERE s.name = ? GROUP BY 1"
        )
        return dict(self.rows(sql, stage))

    def outcomes(self, stage: str) -> Counter[str]:
        """Return the number of attempts of a stage by outcome."""
        sql = "SELECT outcome FROM attempt a JOIN stage s ON s.id = a.stage WHERE s.name = ?"
        return Counter(row[0] for row in self.rows(sql, stage))

    def commands(self, *names: str) -> list[float]:
        """Return when each of these commands of the scheduler was run (all: every question)."""
        lines = (self.root / "commands.log").read_text().splitlines()
        return [float(line.split()[0]) for line in lines if line.split()[1] in (names or QUESTIONS)]

    def said(self) -> str:
        """Return all that its conductors printed."""
        return (self.root / "said").read_text()


def most_in_a_minute(times: list[float]) -> int:
    """Return the most of these that fall within one minute."""
    return max((sum(1 for other in times if one <= other < one + 60) for one in times), default=0)

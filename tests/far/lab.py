"""A campaign here whose site is another machine, driven as people drive it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.sshd import HOST, end_connections
from tests.started import Started

NEEDED = "needs you: `penstock site login far`"

TABLE = 'table = "units.csv"\ntypes = { unit = "int" }'
HEAD = """\
[campaign]
name = "lab"
levels = ["unit"]
site = "far"
[units]
{source}
[site.far]
host = "{host}"
visibility = "2s"
{site}
{stages}
"""


def new_state() -> Path:
    """Make a folder for sockets, whose paths must be short."""
    return Path(tempfile.mkdtemp(prefix="penstock-ssh-"))


@dataclass
class Lab:
    """One campaign in `root`; `config` leads to the other machine."""

    root: Path
    config: Path
    state: Path = field(default_factory=new_state)
    started: Started = field(default_factory=Started)

    def define(self, stages: str, *, units: int, site: str = "", source: str = TABLE) -> Lab:
        """Write the definition."""
        self.root.mkdir(exist_ok=True)
        text = HEAD.format(host=HOST, site=site, stages=stages, source=source)
        (self.root / "penstock.toml").write_text(text)
        (self.root / "units.csv").write_text("unit\n" + "".join(f"{n}\n" for n in range(1, units + 1)))
        return self

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "PENSTOCK_STATE": str(self.state), "PENSTOCK_SSH_CONFIG": str(self.config)}

    def start(self, *words: str) -> subprocess.Popen[Any]:
        """Start a conductor, or another command, whose words go to `said`."""
        command = [sys.executable, "-m", "penstock", *(words or ("run",))]
        with (self.root / "said").open("a") as said:
            return self.started(command, cwd=self.root, env=self.environment, stdout=said, stderr=said)

    def penstock(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command of penstock to its end, and return what it printed."""
        command = [sys.executable, "-m", "penstock", *words]
        return subprocess.run(
            command, cwd=self.root, env=self.environment, capture_output=True, text=True, check=False
        )

    def login(self) -> None:
        done = self.penstock("site", "login", "far")
        assert done.returncode == 0, done.stdout + done.stderr

    def cut(self) -> None:
        """End the connection, as when this machine slept."""
        end_connections(self.state)

    def said(self) -> str:
        """Return all that its conductors printed."""
        return (self.root / "said").read_text()

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Ask the record; as one that may write, for others may take away what a reader cannot make again."""
        with closing(sqlite3.connect(f"file:{self.root}/.penstock/ledger.sqlite?mode=rw", uri=True)) as db:
            return db.execute(sql, values).fetchall()

    def states(self) -> dict[str, int]:
        """Return the number of tasks by state."""
        return dict(self.rows("SELECT state, count(*) FROM task GROUP BY 1"))

    def outcomes(self) -> Counter[str]:
        """Return the number of attempts by outcome."""
        return Counter(row[0] for row in self.rows("SELECT outcome FROM attempt"))

    def end(self) -> None:
        """End what was started here."""
        self.started.__exit__(None, None, None)
        end_connections(self.state)
        shutil.rmtree(self.state)


def as_local(lab: Lab, root: Path) -> Lab:
    """Return the same campaign, with its files, for this machine alone."""
    root.mkdir()
    for path in ("raw", "tools"):
        if (lab.root / path).is_dir():
            shutil.copytree(lab.root / path, root / path)
    for path in (*lab.root.glob("*.csv"), *lab.root.glob("*.py")):
        shutil.copy2(path, root)
    text = (lab.root / "penstock.toml").read_text()
    head, _, rest = text.partition("[site.far]")
    (root / "penstock.toml").write_text(head.replace('site = "far"', "") + rest[rest.index("[stage.") :])
    return Lab(root, lab.config, lab.state)

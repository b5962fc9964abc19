"""`python -m bench.far`: what a hundred thousand tasks in a hundred jobs cost while they are far away, beside the same from here.

Over a real SSH server on this machine, with a scheduler that takes arrays and never runs them; the event files are
written by hand, of tasks without products. CPU is that of the conductor with the clients of `ssh` that it starts, and
of the connection.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psutil
from tests.sshd import HOST, Sshd, bring_up, end_connections

from bench.campaigns import make
from bench.table import Row, render
from penstock import config
from penstock.conductor import Conductor
from penstock.transports.ssh import SshTransport

UNITS, BATCH, ARRAY = 100_000, 100, 10
IDLE, ROUNDS = 20, 2
NEWS = 10 * 10**6  # bytes

STAGE = f"""
[site.there]
scheduler = "slurm"
commands = "{{commands}}"
array_size = {ARRAY}
{{way}}
[stage.touch]
each = "n"
command = ["true"]
batch = {BATCH}
site = "there"
"""
COMMANDS = {
    "sbatch": "date +%s%N",
    "squeue": "echo 'penstock|JOBID|NAME|STATE|START_TIME|NODELIST|REASON|end'",
    "scontrol": "printf 'MaxArraySize = 1001\\nSLURM_VERSION = 22.05.8\\nAccountingStorageType = (null)\\n'",
}


class Far:
    """One campaign of so many tasks, all of which were submitted."""

    def __init__(self, root: Path, way: str) -> None:
        self.root, self.written = root, dict[Path, int]()
        commands = root / "bin"
        commands.mkdir(parents=True)
        for name, text in COMMANDS.items():
            (commands / name).write_text(f"#!/bin/sh\n{text}\n")
            (commands / name).chmod(0o755)
        self.folder = make(root / "campaign", STAGE.format(commands=commands, way=way), UNITS)

    @contextmanager
    def conducted(self) -> Iterator[Conductor]:
        """Submit all, and let every element begin."""
        with Conductor(config.load(self.folder.absolute()), command="run") as conductor:
            conductor.turn()
            elements = [*(self.folder / ".penstock/jobs").glob("p*")]
            if len(elements) != UNITS // (BATCH * ARRAY):
                raise RuntimeError(f"{len(elements)} jobs were submitted: see {self.folder}")
            for job in elements:
                self.begin(job)
            look(conductor)
            yield conductor

    def begin(self, job: Path) -> None:
        """Write the claim of each element of a job."""
        for element in range(1, ARRAY + 1):
            path = job / f"{element}.1.jsonl"
            process = {"host": "n1", "boot": "b", "pid": 7, "start": "7", "space": ""}
            path.write_text(
                line(job.name, element, 1, "claim", native="1", **process, python="3.9", runner=None)
            )
            self.written[path] = 1

    def write_news(self, size: int) -> int:
        """Let elements end their tasks until so many bytes are written; return how many tasks that was."""
        done = 0
        while size > 0:
            path, tasks = next((path, n) for path, n in self.written.items() if n == 1)
            text, ended = self.ends(path)
            with path.open("a") as file:
                file.write(text)
            self.written[path], size, done = tasks + 1, size - len(text), done + ended
        return done

    def ends(self, path: Path) -> tuple[str, int]:
        """Return the events of all tasks of an element."""
        token, element = path.parent.name, int(path.name.partition(".")[0])
        units = self.units(path.parent)[element - 1]
        lines, number = list[str](), 2
        for unit in units:
            told = {
                "o": "ok",
                "wall": 0.0377,
                "cpu": 0.00596,
                "rss": 14876672,
                "log": [1, 0, 0],
                "code": 0,
                "signal": None,
            }
            lines.append(line(token, element, number, "start", s=1, u=unit, w=1, clear=1))
            lines.append(line(token, element, number + 1, "end", s=1, u=unit, w=1, **told, products={}))
            number += 2
        lines.append(line(token, element, number, "sync", ends=len(units)))
        return "".join(lines), len(units)

    def units(self, job: Path) -> list[list[int]]:
        """Return the numbers of the tasks of each element of a job."""
        rows = [json.loads(text) for text in (job / "tasks.jsonl").read_text().splitlines()]
        found = list[list[int]]()
        for row in rows:
            if "u" in row:
                found[-1].append(row["u"])
            else:
                found.append([])
        return found


def line(token: str, element: int, number: int, kind: str, **more: object) -> str:
    event = {"t": token, "i": element, "l": 1, "n": number, "at": round(time.time(), 3), "e": kind, **more}
    return json.dumps(event, separators=(",", ":")) + "\n"


def look(conductor: Conductor) -> None:
    """Take a turn in which event files are looked at, whenever that was done last."""
    conductor.crew.collector.look_at = 0.0
    conductor.turn()


def cpu(masters: list[psutil.Process]) -> float:
    """Return the seconds of CPU that we, our children and connections have used."""
    ours = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in ours) + sum(sum(p.cpu_times()[:2]) for p in masters)


def masters(state: Path) -> list[psutil.Process]:
    """Return the processes of our connections."""
    return [p for p in psutil.process_iter(["cmdline"]) if f"{state}" in " ".join(p.info["cmdline"] or ())]


def cost(do: Callable[[], object], connections: list[psutil.Process]) -> tuple[float, float]:
    """Return what something takes of CPU and of time."""
    began, used = time.monotonic(), cpu(connections)
    do()
    return cpu(connections) - used, time.monotonic() - began


def questions(server: Sshd) -> int:
    """Return how many commands there were over SSH."""
    return server.daemon.log.read_text().count("Starting session: command")


def measure(name: str, far: Far, server: Sshd, state: Path) -> list[Row]:
    """Return what an idle turn costs, and what it costs to take news."""
    with far.conducted() as conductor:
        connections = masters(state)
        before = questions(server)
        idle = [cost(partial(look, conductor), connections) for _ in range(IDLE)]
        asked = (questions(server) - before) / IDLE
        cpus, walls = (statistics.median(column) for column in zip(*idle, strict=True))
        rows = [row(f"an idle turn, {name}", cpus, walls, f"{asked:g}")]
        for _ in range(ROUNDS):
            done, before = far.write_news(NEWS), questions(server)
            used, took = cost(partial(look, conductor), connections)
            told = f"{NEWS / 1e6:g} MB of events of {done:,} tasks, {name}"
            rows.append(row(told, used, took, f"{questions(server) - before}"))
    return rows


def row(name: str, cpu_s: float, wall_s: float, asked: str) -> Row:
    """Return a row of the table."""
    return name, f"{cpu_s:.3f}", f"{wall_s:.3f}", asked


def main() -> None:
    """Measure both, in turns, and print a table."""
    rows: list[Row] = [("", "CPU s", "wall s", "commands of ssh")]
    state = Path(tempfile.mkdtemp(prefix="penstock-ssh-"))
    with tempfile.TemporaryDirectory(prefix="penstock-bench-") as folder:
        server = bring_up(Path(folder) / "sshd")
        os.environ |= {"PENSTOCK_STATE": str(state), "PENSTOCK_SSH_CONFIG": str(server.config)}
        try:
            for turn in range(int(sys.argv[1]) if len(sys.argv) > 1 else 2):
                far = Far(Path(folder) / f"far{turn}", f'host = "{HOST}"\nshared_files = true')
                SshTransport(config.load(far.folder).sites["there"], Path("~")).login()
                rows += measure("far away", far, server, state)
                rows += measure("here", Far(Path(folder) / f"here{turn}", ""), server, state)
        finally:
            end_connections(state)
            server.down()
    print(f"{UNITS:,} tasks in {UNITS // (BATCH * ARRAY)} jobs (targets: 0.050 s CPU, 2 s):", "", sep="\n")
    print(*render(rows), sep="\n")


if __name__ == "__main__":
    main()

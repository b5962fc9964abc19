"""`python -m bench.serving [UNITS]`: a record of three tasks a file is followed by fifty browsers while it is written.

Measured are the server's CPU time while something changes every second and while nothing does, how long a change takes to
be on every page, each page, and the most memory that it had.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from bench.campaigns import PENSTOCK
from bench.measure import run
from bench.scale import DISCOVER
from bench.table import Row, render
from penstock.ledger import Ledger
from penstock.serve.pages import PAGES

UNITS, A_NIGHT, CLIENTS, SECONDS = 1_000_000, 100, 50, 30
FOLLOWED = ("", "", "", "problems", "jobs")  # the pages of each five browsers
ASKED = {"unit": "unit?unit=47/4711", "groups of files": "groups?level=n"}
TICKS = os.sysconf("SC_CLK_TCK")
DEFINITION = """
campaign = { name = "serving", levels = ["night", "n"] }
units    = { table = "units.csv", types = { night = "int", n = "int" } }
stage.a  = { each = "n", command = ["touch", "{product}"], products = "out/{n}.a" }
stage.b  = { each = "n", after = ["a"], command = ["cp", "{inputs.a}", "{product}"], products = "out/{n}.b" }
stage.c  = { each = "n", after = ["b"], command = ["cp", "{inputs.b}", "{product}"], products = "out/{n}.c" }
stage.d  = { each = "night", after = ["c"], command = ["tee", "{product}"], products = "out/{night}.d" }
"""
GROWN = """
UPDATE task SET state = 'done' WHERE stage IN (1, 2) OR stage = 3 AND unit % 7 <> 0;
UPDATE task SET state = 'failed', why = 'exit code 3: no table for run 7', failed = 1 WHERE stage = 3 AND unit % 100 = 0;
DELETE FROM tally;
INSERT INTO tally SELECT stage, 1, state, count(*) FROM task GROUP BY stage, state;
INSERT INTO tally SELECT stage, g1, state, count(*) FROM task JOIN unit ON unit.id = unit WHERE stage < 4 GROUP BY 1, 2, 3;
INSERT INTO attempt (stage, unit, outcome, began, ended, wall_s, cpu_s, rss, host)
    SELECT stage, unit, iif(state = 'done', 'ok', 'error'), 1e9 + unit, 1e9 + unit + 60, 60, 50, 1e8, 'n1'
    FROM task WHERE state IN ('done', 'failed');
"""


class Server(NamedTuple):
    """A server, and how it is reached."""

    pid: int
    port: int
    token: str

    async def ask(self, path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Ask for something."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 26)
        lines = (
            f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{self.port}", f"Authorization: Bearer {self.token}", "Connection: close",
        )  # fmt: skip
        writer.write("\r\n".join([*lines, "", ""]).encode())
        return reader, writer

    async def page_ms(self, path: str) -> float:
        """Return how long a page takes."""
        began = time.perf_counter()
        reader, writer = await self.ask(path)
        answer = await reader.read()
        writer.close()
        if b" 200 " not in answer[:20]:
            raise RuntimeError(f"{path}: {answer[:400]!r}")
        return 1000 * (time.perf_counter() - began)

    def cpu_s(self) -> float:
        """Return what it used until now."""
        fields = Path(f"/proc/{self.pid}/stat").read_text("utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def peak_mb(self) -> float:
        """Return the most memory that it had."""
        lines = Path(f"/proc/{self.pid}/status").read_text("utf-8").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1000


def make(folder: Path, units: int) -> Path:
    """Make a campaign of nights with a hundred files each."""
    folder.mkdir()
    (folder / "penstock.toml").write_text(DEFINITION)
    rows = "".join(f"{n // A_NIGHT},{n}\n" for n in range(units))
    (folder / "units.csv").write_text(f"night,n\n{rows}")
    return folder


async def follow(server: Server, page: str, seen: dict[str, float]) -> None:
    """Look at a page, and note when each change was first on it."""
    reader, _ = await server.ask(f"/c/serving/events/{page}")
    while line := await reader.readline():
        for mark in [mark for mark in seen if mark.encode() in line]:
            seen[mark] = min(seen[mark], time.perf_counter())


async def measure(server: Server, root: Path) -> Sequence[Row]:
    """Follow the record with all browsers, and return the rows of the table."""
    pages = [await timed(server, ASKED.get(name, name)) for name in [*PAGES, "groups of files"]]
    seen: list[dict[str, float]] = [{} for _ in range(CLIENTS)]
    looking = [
        asyncio.create_task(follow(server, FOLLOWED[n % len(FOLLOWED)], marks))
        for n, marks in enumerate(seen)
    ]
    await asyncio.sleep(5)
    quiet, began = server.cpu_s(), time.perf_counter()
    await asyncio.sleep(SECONDS / 2)
    quiet = (server.cpu_s() - quiet) / (time.perf_counter() - began)
    busy, began, written = server.cpu_s(), time.perf_counter(), dict[str, float]()
    while time.perf_counter() < began + SECONDS:
        mark = f"change-{len(written)}-"
        for marks in seen:
            marks[mark] = float("inf")
        with Ledger.open(root) as ledger:
            ledger.set_meta("name", mark)  # which stands on top of every page
        written[mark] = time.perf_counter()
        await asyncio.sleep(1)
    busy = (server.cpu_s() - busy) / (time.perf_counter() - began)
    await asyncio.sleep(3)
    for task in looking:
        task.cancel()
    late = sorted(first_sight(written, marks, mark) for marks in seen for mark in list(written)[:-5])
    return [
        *pages,
        ("CPU, 50 browsers, nothing changes", f"{quiet:.1%}", "5 %"),
        ("CPU, 50 browsers, a change a second", f"{busy:.1%}", "5 %"),
        ("a change is on a page, median", f"{statistics.median(late):.2f} s", ""),
        ("… at the latest", f"{late[-1]:.2f} s", "2 s"),
        ("most memory", f"{server.peak_mb():.0f} MB", "150 MB"),
    ]


def first_sight(written: dict[str, float], seen: dict[str, float], mark: str) -> float:
    """Return how long after it was written a change, or a later one, was on a page."""
    later = list(written)[list(written).index(mark) :]
    return min(seen[one] for one in later) - written[mark]


async def timed(server: Server, name: str) -> Row:
    """Measure one page, each time drawn anew."""
    times = list[float]()
    for _ in range(5):
        times.append(await server.page_ms(f"/c/serving/{name}"))
        await asyncio.sleep(1.1)  # after which it is drawn again
    return (
        f"page `{name or 'overview'}`, median (most)",
        f"{statistics.median(times):.0f} ({max(times):.0f}) ms",
        "200 ms",
    )


def main() -> None:
    """Measure, and print the table."""
    units = int(sys.argv[1]) if len(sys.argv) > 1 else UNITS
    with tempfile.TemporaryDirectory(prefix="penstock-bench-") as name:
        folder = make(Path(name) / "serving", units)
        run([sys.executable, "-c", DISCOVER], cwd=folder)
        with Ledger.open(folder) as ledger:
            ledger.db.executescript(f"BEGIN; {GROWN} COMMIT;")
        with subprocess.Popen([*PENSTOCK, "serve"], cwd=folder, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout
                url = urlsplit(process.stdout.readline().split()[-1])
                server = Server(process.pid, url.port or 0, url.query.partition("=")[2])
                rows = asyncio.run(measure(server, folder))
            finally:
                process.terminate()
    print(f"{units:,} files × 3 stages, {-(-units // A_NIGHT):,} nights, {CLIENTS} browsers:\n")
    print("\n".join(render([("", "", "target"), *rows])))


if __name__ == "__main__":
    main()

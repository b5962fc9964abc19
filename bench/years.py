"""`python -m bench.years [UNITS]`: the size of the record and the time of a turn over five years, by a clock that is turned.

Each month all is made anew by a new version, and some tasks fail at first; some files change, some units are vetoed and
set free again; then what is older than three months is pruned. As from cron, a new conductor takes each turn that is measured.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from bench.table import Row, render
from penstock.conductor import Conductor
from penstock.ledger import FILE, FOLDER, Ledger
from penstock.ledger.generation import begin_generation
from penstock.ledger.pruning import prune
from penstock.ledger.requests import record
from penstock.testing import ManualClock, Outcome, Run, make_campaign
from penstock.testing.campaigns import AT_REST

UNITS, YEARS, MONTHS, TURNS = 1000, 5, 12, 3
NIGHTS, SHARE = 10, 50  # groups; one of so many units fails, changes or is vetoed
DAY_S = 86_400.0
MONTH_S, KEPT_S = 30 * DAY_S, 90 * DAY_S
DEFINITION = """
[campaign]
name = "years"
levels = ["night", "run"]
[units]
files = "in/{night}/{run:d}.txt"
complete = { night = "quiet 30min" }
[stage.copy]
each = "run"
version = "0"
command = ["cp", "{path}", "{product}"]
products = "out/{night}/{run}.txt"
[stage.sum]
each = "night"
after = ["copy"]
command = ["touch", "{product}"]
products = "out/{night}.sum"
"""


class Month(NamedTuple):
    """How a month ended."""

    bytes: int
    turn_s: float  # of CPU, with nothing to do
    redo_s: float  # of CPU


class Years:
    """A campaign that grows old."""

    def __init__(self, folder: Path, units: int) -> None:
        files = {f"in/n{n % NIGHTS}/{n}.txt": "" for n in range(units)}
        self.made, self.clock, self.units = (
            make_campaign(folder / "years", DEFINITION, files),
            ManualClock(),
            units,
        )
        self.exports, self.past = folder / "exports", 0
        self.made.run(clock=self.clock)

    def month(self) -> Month:
        """Live a month, and prune."""
        self.clock.turn(MONTH_S)
        self.past += 1
        self.change_files()
        (self.made.root / "penstock.toml").write_text(
            DEFINITION.replace('version = "0"', f'version = "{self.past}"'), encoding="utf-8"
        )
        self.ask("veto", self.past)
        if self.past > 1:
            self.ask("unveto", self.past - 1)
        begun = time.process_time()
        with self.conductor("run") as conductor:
            conductor.run(stale=True)
        redo_s = time.process_time() - begun
        with Ledger.open(self.made.root) as ledger:
            prune(ledger, self.clock.now() - KEPT_S, self.exports / str(self.past))
            begin_generation(ledger.db)
        turn_s = statistics.median(self.turn_s() for _ in range(TURNS))
        return Month((self.made.root / FOLDER / FILE).stat().st_size, turn_s, redo_s)

    def conductor(self, command: str) -> Conductor:
        """Return a new conductor, by the turned clock."""
        site = self.made.site(self.outcome, clock=self.clock)
        return Conductor(self.made.load(), command=command, site=site, clock=self.clock)

    def outcome(self, run: Run) -> Outcome:
        """Fail a few tasks at first."""
        unlucky = run.number == 1 and run.key.endswith(str(self.past))
        return Outcome("error", code=1, why="exit code 1") if unlucky else Outcome()

    def some(self, month: int) -> range:
        """Return the units that something happens to in a month."""
        return range(month % SHARE, self.units, SHARE)

    def change_files(self) -> None:
        """Write a few files anew."""
        for n in self.some(self.past):
            name = f"in/n{n % NIGHTS}/{n}.txt"
            self.made.write(name, str(self.past), mtime=AT_REST + self.past)

    def ask(self, action: str, month: int) -> None:
        """Veto a few units, or set them free, one request each."""
        with Ledger.open(self.made.root) as ledger:
            rows = ledger.db.execute("SELECT id FROM unit WHERE level = 2 ORDER BY id").fetchall()
            for n in self.some(month):
                target = {"unit": rows[n][0], **({"why": f"month {month}"} if action == "veto" else {})}
                record(ledger, action, target, "me@here", self.clock.now())

    def turn_s(self) -> float:
        """Take a turn, and return its CPU time."""
        self.clock.turn(60.0)
        begun = time.process_time()
        with self.conductor("tick") as conductor:
            conductor.tick()
        return time.process_time() - begun


def main() -> None:
    """Print what was measured."""
    units = int(sys.argv[1]) if len(sys.argv) > 1 else UNITS
    rows: list[Row] = [("after", "record, MB", "a turn, ms of CPU", f"making {units:,} anew, s of CPU")]
    with tempfile.TemporaryDirectory(prefix="penstock-bench-") as folder:
        years = Years(Path(folder), units)
        for year in range(1, YEARS + 1):
            months = [years.month() for _ in range(MONTHS)]
            sizes, turns, redoing = (statistics.median(values) for values in zip(*months, strict=True))
            rows.append((f"year {year}", f"{sizes / 1e6:.2f}", f"{1000 * turns:.1f}", f"{redoing:.2f}"))
            print(*rows[-1], file=sys.stderr)
    print("\n".join(render(rows)))


if __name__ == "__main__":
    main()

"""Where the sequences of a night stand: one table, for the terminal, for programs and for the web."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from penstock.workflows.telescope.planning import Planned
from penstock.workflows.telescope.sequences import Sequence as Planning

if TYPE_CHECKING:
    from penstock.record import Record

CLOSING, SEALED = "close.", "close.run.seal"
MUONS = "muons"  # a product of the stage r0_to_dl1
#: column → the stage whose done tasks it counts, in per cent of all
SHARES = {
    "DL1%": "r0_to_dl1",
    "MUONS%": MUONS,
    "DL1AB%": "dl1ab",
    "DATACHECK%": "datacheck",
    "DL2%": "dl1_to_dl2",
}
COLUMNS = (
    "Tel", "Seq", "Parent", "Type", "Run", "Subruns", "Source", "Action", "Tries", "JobID", "State", "CPU_time", "Exit",
    "Done", "Expected", *SHARES,
)  # fmt: skip
#: the state of a sequence is the first of these that a task of it has
URGENT = ("failed", "blocked", "running", "queued", "ready", "waiting", "done", "vetoed", "gone")

#: what is counted of the runs of a night
OF_RUN = (
    " JOIN unit run ON run.id = own.g2"
    " JOIN unit night ON night.id = own.g1 AND night.level = 1 AND night.key = :night"
)
NUMBER = "json_extract(run.key, '$[1]')"
TASKS = (
    f"SELECT {NUMBER}, stage.name, task.state, count(*) FROM task JOIN stage ON stage.id = task.stage AND NOT stage.removed"
    f" JOIN unit own ON own.id = task.unit{OF_RUN} GROUP BY 1, 2, 3"
)
ATTEMPTS = (
    f"SELECT {NUMBER}, count(*), total(cpu_s), job.native, exit_code, max(attempt.id) FROM attempt"
    f" JOIN stage ON stage.id = attempt.stage AND NOT stage.removed AND stage.name NOT GLOB '{CLOSING}*'"
    f" LEFT JOIN job ON job.id = attempt.job JOIN unit own ON own.id = attempt.unit{OF_RUN} GROUP BY 1"
)
PRODUCTS = (
    f"SELECT {NUMBER}, count(*) FROM product JOIN stage ON stage.id = product.stage AND stage.name = '{SHARES['DL1%']}'"
    f" JOIN unit own ON own.id = product.unit{OF_RUN} WHERE product.name = :muons AND product.digest IS NOT NULL GROUP BY 1"
)


class Job(NamedTuple):
    """What the attempts at a run were: how many, and the last one."""

    tries: int = 0
    cpu_s: float = 0.0
    job: str | None = None
    exit_code: int | None = None


@dataclass(slots=True)
class Run:
    """What the record has of a run: its tasks by stage and state, its products that are checked, its attempts."""

    states: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter[str]))
    muons: int = 0
    job: Job = field(default_factory=Job)
    vetoed: bool = False
    closed: bool = False

    @property
    def state(self) -> str:
        """The state of the whole of it."""
        found = {state for stage in self.states.values() for state in stage}
        return next((state for state in URGENT if state in found), "planned")

    def with_pedestal(self, other: Run) -> Run:
        """Add the tasks and attempts of the DRS4 run to those of a calibration."""
        both = Job(self.job.tries + other.job.tries, self.job.cpu_s + other.job.cpu_s, *self.job[2:])
        return Run({**other.states, **self.states}, 0, both, self.vetoed or other.vetoed, self.closed)

    def count(self, state: str | None = None) -> int:
        """Count its tasks, all or those in a state."""
        return sum(one.total() if state is None else one[state] for one in self.states.values())


def short(job: str | None) -> str | None:
    """Give the number of a job, which is a process on this machine.

    >>> short("31401.220385.5610d0df.pid:[4026531836]"), short("4711")
    ('31401', '4711')
    """
    return job.partition(".")[0] if job else None


def read_runs(record: Record, night: str) -> dict[int, Run]:
    """Read all that the record has of the runs of a night: counted there, since subruns are many."""
    runs: dict[int, Run] = defaultdict(Run)
    for unit in record.units("run", SEALED) if any(s.name == SEALED for s in record.status().stages) else ():
        if unit.key[0] == night:
            run = runs[unit.key[1]]
            run.closed, run.vetoed = unit.state == "done", unit.vetoed
    db, which = record.ledger.db, {"night": json.dumps([night]), "muons": MUONS}
    for number, stage, state, count in db.execute(TASKS, which):
        if not stage.startswith(CLOSING):
            runs[number].states[stage][state] = count
    for number, tries, cpu_s, job, exit_code, _ in db.execute(ATTEMPTS, which):
        runs[number].job = Job(tries, cpu_s, short(job), exit_code)
    for number, count in db.execute(PRODUCTS, which):
        runs[number].muons = count
    return runs


def rows_of(
    telescope: str, sequences: Iterable[Planning], runs: Mapping[int, Run]
) -> Iterator[dict[str, Any]]:
    """Give a row of the table for each sequence; what is not known is None."""
    for each in sequences:
        run = runs.get(each.run.number, Run())
        if not each.is_data and (pedestal := runs.get(each.fields["drs4_run"])):
            run = run.with_pedestal(pedestal)
        subruns = each.run.subruns
        yield {
            "Tel": telescope,
            "Seq": each.number,
            "Parent": each.parent,
            "Type": each.run.type,
            "Run": each.run.number,
            "Subruns": subruns,
            "Source": each.source or None,
            "Action": "closed" if run.closed else "veto" if run.vetoed else None,
            "Tries": run.job.tries,
            "JobID": run.job.job,
            "State": "vetoed" if run.vetoed else run.state,
            "CPU_time": round(run.job.cpu_s, 1),
            "Exit": run.job.exit_code,
            "Done": run.count("done"),
            "Expected": run.count() or None,
            **{name: share(run, stage, subruns) if each.is_data else None for name, stage in SHARES.items()},
        }


def share(run: Run, stage: str, subruns: int) -> int | None:
    """Say how much of a stage is done, in per cent and rounded down; None if the campaign has no such stage."""
    if stage == MUONS:
        return 100 * run.muons // subruns if subruns else None
    states = run.states.get(stage)
    if states is None:
        return None
    total = states.total() if states.total() == 1 else subruns
    return 100 * states["done"] // total if total else None


def rows_of_night(record: Record | None, telescope: str, planned: Planned) -> list[dict[str, Any]]:
    """Give the rows of a night, from its plan and, if there is one, the record."""
    runs = read_runs_if_any(record, planned.night.isoformat())
    return [*rows_of(telescope, planned.plan.sequences, runs)] if planned.plan else []


def read_runs_if_any(record: Record | None, night: str) -> dict[int, Run]:
    """Read the runs of a night that may not be in the record yet."""
    if record is None or night not in {unit.key[0] for unit in record.units("night")}:
        return {}
    return read_runs(record, night)


def lines_of(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Write rows as lines of a table: two spaces between columns, `-` for what is not known."""
    cells = [[*COLUMNS], *([text_of(name, row[name]) for name in COLUMNS] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    left = ("Tel", "Type", "Source", "Action", "State")
    return [
        "  ".join(
            cell.ljust(width) if name in left else cell.rjust(width)
            for name, cell, width in zip(COLUMNS, row, widths, strict=True)
        ).rstrip()
        for row in cells
    ]


def text_of(name: str, value: Any) -> str:
    """Write a value: a time as h:mm:ss, what may have spaces in quotes if it has any."""
    if value is None:
        return "-"
    if name == "CPU_time":
        minutes, seconds = divmod(round(value), 60)
        return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
    return f'"{value}"' if isinstance(value, str) and " " in value else str(value)


def write_status(
    path: Path, nights: Sequence[tuple[str, Sequence[Mapping[str, Any]]]], telescope: str
) -> None:
    """Write a page with the table of each night."""
    from penstock.workflows.reports.page import write_page

    body = (
        "{% for night, rows in nights %}<h2>{{ night }}</h2><table><tr>{% for name in columns %}<th>{{ name }}</th>"
        "{% endfor %}</tr>{% for row in rows %}<tr>{% for name in columns %}<td>{{ '' if row[name] is none else row[name] }}"
        "</td>{% endfor %}</tr>{% endfor %}</table>{% endfor %}"
    )
    write_page(path, body, title=f"Nights of {telescope}", facts=[], nights=nights, columns=COLUMNS)

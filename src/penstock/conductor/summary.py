"""What to report when a run ends: what was done, what was not and why, and how to continue."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from time import time

from penstock.decide import is_not_meant
from penstock.display import Labels, count, them
from penstock.ledger import Ledger, jobs
from penstock.ledger.experience import absences
from penstock.ledger.reading.closed import stale_in_closed
from penstock.ledger.reading.failuregroups import read_failure_groups
from penstock.ledger.reading.logs import tail_of
from penstock.ledger.reading.queuestate import goes_on, out_by_site
from penstock.ledger.redefined import redefinition
from penstock.ledger.tasks import REDEFINED

SHOWN = 3
OPEN = ("waiting", "ready", "queued", "running")


def say_ending(
    ledger: Ledger,
    *,
    stopped: bool,
    allow_problems: bool = True,
    part: Mapping[str, int] | None = None,
    among: str = "true",
) -> tuple[int, list[str]]:
    """Return the exit code and the lines that a run ends with; unless allowed, problems of sources and products are failures.

    `part` counts the tasks of a run that was restricted, `among` is the SQL condition for them.
    """
    everything = totals(ledger)
    counts = everything if part is None else dict(part)
    lines = [*paused_lines(ledger), *failed_lines(ledger, counts), *waiting_lines(ledger, counts)]
    if stopped:
        lines += [stopped_line(ledger, counts), *cluster_lines(ledger), *absences(ledger.db, time())]
    if counts.get("stale"):
        lines += stale_lines(ledger, counts["stale"])
    pause = has_pause(ledger) and (part is None or counts.get("ready"))
    failed = bool(counts.get("failed") or pause)
    failed |= bool(counts.get("waiting") and not stopped and is_any_waiting(ledger, among))
    failed |= bool(counts.get("blocked") and is_any_undone(ledger, among))
    failed |= not allow_problems and has_data_problem(ledger)
    if not lines:
        lines = [f"all done: {count(counts.get('done', 0), 'task')}" if counts else "there is nothing to do"]
    lines += [*left_lines(everything, counts), *problem_lines(ledger)]
    return (1 if failed else 0), lines


def left_lines(everything: Mapping[str, int], part: Mapping[str, int]) -> list[str]:
    """Count what a restricted run left alone."""
    left = sum(everything.get(state, 0) - part.get(state, 0) for state in OPEN)
    return [f"{count(left, 'other task')} not requested: `penstock run` runs everything"] if left else []


def totals(ledger: Ledger) -> dict[str, int]:
    """Return the number of tasks by state, over the stages that are still defined."""
    rows = ledger.db.execute(
        "SELECT y.state, sum(y.n) FROM tally y JOIN stage s ON s.id = y.stage WHERE y.unit = 1 AND NOT s.removed GROUP BY 1"
    )
    return {row[0]: row[1] for row in rows if row[1]}


def problem_lines(ledger: Ledger) -> list[str]:
    """Name what was wrong with the sources or the events, since "all done" may then not be all."""
    total = ledger.db.execute("SELECT count(*) FROM problem").fetchone()[0]
    rows = ledger.db.execute("SELECT subject, why FROM problem ORDER BY id DESC LIMIT ?", (SHOWN,))
    shown = [f"    {row['subject']}: {row['why']}" for row in rows]
    return [f"{count(total, 'problem')}: see `penstock status`", *shown] if total else []


def has_data_problem(ledger: Ledger) -> bool:
    """Whether a file or row could not become a unit, too many products are missing at once, or one cannot come home."""
    sql = "SELECT 1 FROM problem WHERE source GLOB 'unit*.*' OR source GLOB 'home *' OR source = 'products' LIMIT 1"
    return ledger.db.execute(sql).fetchone() is not None


def is_any_undone(ledger: Ledger, among: str) -> bool:
    """Whether one of these tasks is blocked for a reason that nobody decided."""
    rows = ledger.db.execute(f"SELECT DISTINCT why FROM task WHERE state = 'blocked' AND {among}")
    return any(is_not_meant(row[0] or "") for row in rows)


def is_any_waiting(ledger: Ledger, among: str) -> bool:
    """Whether one of these tasks waits for something else than a closing, which has its hour or was reopened by a person."""
    steps = "stage IN (SELECT id FROM stage WHERE name LIKE 'close.%') OR substr(coalesce(why, ''), 2, 6) = 'close.'"
    sql = f"SELECT 1 FROM task WHERE state = 'waiting' AND NOT ({steps}) AND {among} LIMIT 1"
    return ledger.db.execute(sql).fetchone() is not None


def has_pause(ledger: Ledger) -> bool:
    """Whether a stage is paused."""
    return (
        ledger.db.execute("SELECT 1 FROM stage WHERE paused IS NOT NULL AND NOT removed").fetchone()
        is not None
    )


def paused_lines(ledger: Ledger) -> list[str]:
    """Explain why stages are paused, with the output of their last attempt."""
    lines: list[str] = []
    for row in ledger.db.execute(
        "SELECT id, name, paused, paused_why FROM stage WHERE paused IS NOT NULL AND NOT removed"
    ):
        if row["paused"] == "fuse":
            lines.append(
                f"stage '{row['name']}' is paused: {row['paused_why']}; {goes_on(row['name'], 'fuse')}"
            )
            lines += [f"    {line}" for line in tail_of(ledger, row["id"])]
        else:
            lines.append(
                f"stage '{row['name']}' stopped: {row['paused_why']}; nothing is lost: fix it and run the same command again"
            )
    return lines


def failed_lines(ledger: Ledger, counts: dict[str, int]) -> list[str]:
    """Name a few failed tasks with their reason, one for all that failed the same way."""
    if not counts.get("failed"):
        return []
    groups = read_failure_groups(ledger.db, Labels.read(ledger.db))
    shown = [f"    {one.example}: {one.why}" for one in groups[:SHOWN]]
    blocked = f", which blocks {counts['blocked']:,} more" if counts.get("blocked") else ""
    return [
        f"{count(counts['failed'], 'task')} failed{blocked}: see `penstock status`, `penstock log UNIT`",
        *shown,
    ]


def waiting_lines(ledger: Ledger, counts: dict[str, int]) -> list[str]:
    """Explain what waits or is blocked although nothing failed."""
    if not counts.get("waiting") and (not counts.get("blocked") or counts.get("failed")):
        return []
    rows = ledger.db.execute(
        "SELECT s.name, t.state, coalesce(t.why, 'its upstreams are not done') AS why, count(*) AS n FROM task t"
        " JOIN stage s ON s.id = t.stage WHERE t.state IN ('waiting', 'blocked') AND NOT s.removed GROUP BY 1, 2, 3 LIMIT ?",
        (SHOWN,),
    )
    return [f"{row['n']} of stage '{row['name']}' {row['state']}: {row['why']}" for row in rows]


def stale_lines(ledger: Ledger, stale: int) -> list[str]:
    """Count the stale tasks and say, of the commonest kinds, what changed."""
    rows = ledger.db.execute(
        "SELECT s.name, t.stale, t.made, count(*) FROM stage s JOIN task t ON t.stage = s.id AND t.stale IS NOT NULL"
        " AND t.state = 'done' WHERE NOT s.removed GROUP BY s.id, 2, 3 ORDER BY 4 DESC, s.position LIMIT ?",
        (SHOWN,),
    ).fetchall()
    shown = [f"    {name}: {why_stale(ledger, name, stale, made)}" for name, stale, made, _ in rows]
    closed = min(stale, stale_in_closed(ledger.db))
    remedies = [(stale - closed, "", ""), (closed, " of closed groups", ", after `penstock reopen GROUP`")]
    told = [
        f"{count(n, 'stale task')}{whose}: `penstock run --stale` redoes {them(n)}{after}"
        for n, whose, after in remedies
        if n
    ]
    return [*told, *shown]


def why_stale(ledger: Ledger, stage: str, stale: str, made: str | None) -> str:
    """Return why tasks are stale: for a definition, what changed in it."""
    return str(redefinition(ledger.db, stage, made)) if stale == REDEFINED else stale


def stopped_line(ledger: Ledger, counts: dict[str, int]) -> str:
    """Report what still runs on this machine after a stop, and how to continue."""
    running = counts.get("running", 0) if any(job["feed"] for job in jobs.open_jobs(ledger.db)) else 0
    still = f"{count(running, 'task')} still running; " if running else ""
    return f"stopped at {datetime.now(UTC):%H:%M:%S} UTC: {still}the same command continues"


def cluster_lines(ledger: Ledger, *, command: str | None = None) -> list[str]:
    """Report what continues at clusters without a conductor; `command` collects it, None: the same one."""
    lines: list[str] = []
    for site, (n, tasks) in out_by_site(ledger.db, arrays=True).items():
        again = f"`penstock {command}`" if command else "the same command"
        what = (
            f"{count(n, 'job')} with {count(tasks, 'task')} {'continues' if n == 1 else 'continue'} at {site}"
        )
        lines.append(f"{what}; {again} collects {them(n)}, `penstock cancel --all` cancels {them(n)}")
    return lines

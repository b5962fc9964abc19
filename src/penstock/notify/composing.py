"""What a notice says, read from the record at the moment when its message is written."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from typing import NamedTuple

from penstock.display import Labels, count
from penstock.ledger import Ledger
from penstock.ledger.outbox import Notice
from penstock.ledger.reading.failuregroups import FailureGroup, read_failure_groups
from penstock.ledger.reading.late import late_groups
from penstock.ledger.reading.queuestate import goes_on
from penstock.notify.letter import Draft, Letter
from penstock.status import Status

SHOWN = 10


class News(NamedTuple):
    """What a notice says now, and up to when its reader knows all then."""

    draft: Draft
    told: float


def compose(ledger: Ledger, notice: Notice, now: float) -> tuple[Letter, float] | None:
    """Write what a notice says now, and up to when its channel then knows all; None if there is nothing to tell any more."""
    news = _KINDS[notice.kind](ledger, notice, now)
    if news is None:
        return None
    status = Status.read(ledger, now=now)
    stands = status.to_text().splitlines() if notice.kind == "digest" else status.counted()
    draft = news.draft._replace(lines=[*news.draft.lines, "", *stands])
    letter = Letter.new(notice.kind, draft, campaign=status.campaign, folder=ledger.root, at=now)
    return letter, news.told


def failure(ledger: Ledger, notice: Notice, now: float) -> News | None:
    """Tell which tasks failed, those that failed alike once, and which stages are paused."""
    db = ledger.db
    groups = read_failure_groups(db, Labels.read(db), since=notice.told)
    failed, told = db.execute(
        "SELECT count(*), max(t.failed) FROM task t JOIN stage s ON s.id = t.stage"
        " WHERE t.failed > ? AND t.state = 'failed' AND NOT s.removed",
        (notice.told,),
    ).fetchone()
    paused = db.execute(
        "SELECT name, paused, paused_why FROM stage WHERE paused IS NOT NULL AND NOT removed ORDER BY position"
    ).fetchall()
    if not failed and not paused:
        return None
    lines = [*(line for one in groups[:SHOWN] for line in group_lines(one))]
    if left := failed - sum(one.count for one in groups[:SHOWN]):
        lines.append(f"… and {left:,} more: penstock status")
    lines += [f"stage {row[0]} is paused: {row[2]}; {goes_on(row[0], row[1])}" for row in paused]
    facts = {
        "failed": failed,
        "failures": [one.to_json() for one in groups[:SHOWN]],
        "paused": [{"stage": row[0], "why": row[2]} for row in paused],
    }
    draft = Draft(failure_subject(groups, failed, paused), lines, facts)
    return News(draft, max(told or 0.0, notice.told))


def failure_subject(groups: list[FailureGroup], failed: int, paused: list[sqlite3.Row]) -> str:
    """Say the most important in a few words."""
    if not failed:
        return f"{', '.join(row[0] for row in paused)} paused"
    what = f"{groups[0].stage} {groups[0].task} failed" if failed == 1 else f"{count(failed, 'task')} failed"
    stages = "" if failed == 1 else f" in {', '.join(dict.fromkeys(one.stage for one in groups))}"
    return f"{what}{stages}{'; paused' if paused else ''}"


def group_lines(group: FailureGroup) -> Iterator[str]:
    """Yield the lines about tasks that failed alike."""
    yield f"{group.example}: {group.why}"
    if group.command:
        yield f"    {group.command}"


def recovery(ledger: Ledger, notice: Notice, now: float) -> News:
    """Tell that all that failed is done, vetoed or gone."""
    lines = ["What had failed is done, vetoed or gone, no stage is paused, and no group is late."]
    return News(Draft("all is well again", lines, {}), now)


def digest(ledger: Ledger, notice: Notice, now: float) -> News:
    """Tell what was done since the last one."""
    db = ledger.db
    newest = db.execute("SELECT coalesce(max(id), 0) FROM attempt").fetchone()[0]
    rows = db.execute(
        "SELECT s.name, count(*) FILTER (WHERE a.outcome = 'ok'), count(*) FILTER (WHERE a.outcome <> 'ok')"
        " FROM attempt a JOIN stage s ON s.id = a.stage WHERE a.id > ? AND a.id <= ? AND NOT a.late"
        " GROUP BY a.stage ORDER BY s.position",
        (notice.told, newest),
    ).fetchall()
    done = sum(row[1] for row in rows)
    lines = [f"{row[0]}: {row[1]:,} done, {count(row[2], 'attempt')} without success" for row in rows]
    facts = {"stages": [{"stage": row[0], "done": row[1], "without_success": row[2]} for row in rows]}
    lines = lines or ["Nothing was run since the last digest."]
    return News(Draft(f"{count(done, 'task')} done since the last digest", lines, facts), float(newest))


def deadline(ledger: Ledger, notice: Notice, now: float) -> News | None:
    """Tell which groups were not done in time."""
    late = late_groups(ledger.db, Labels.read(ledger.db), since=notice.told)
    if not late:
        return None
    lines = [one.to_text(now) for one in late[:SHOWN]]
    lines += [f"… and {len(late) - SHOWN:,} more: penstock status"] if len(late) > SHOWN else []
    what = (
        f"{late[0].stage} {late[0].group} is late" if len(late) == 1 else f"{count(len(late), 'group')} late"
    )
    draft = Draft(what, lines, {"late": [one.to_json() for one in late[:SHOWN]]})
    return News(draft, max(one.noticed for one in late))


_KINDS: dict[str, Callable[[Ledger, Notice, float], News | None]] = {
    "failure": failure,
    "recovery": recovery,
    "deadline": deadline,
    "digest": digest,
}

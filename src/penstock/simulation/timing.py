"""How long tasks take and how often they fail: as they did, as somebody says, or as the definition allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from penstock.campaign import Campaign, Stage
from penstock.display import count, show_duration
from penstock.errors import DefinitionError
from penstock.ledger import Ledger

STEP_S = 1.0  # that a step of a closing is taken to need, where no record tells it
MOST = 10_000  # tasks of a stage that are looked at, the newest


@dataclass(frozen=True, slots=True)
class Timing:
    """Of one stage: measured wall times in seconds, the share of attempts that fail, and how that is known.

    Of `workers` that run tasks of a batch side by side each is taken for one that is so many times as fast.
    """

    walls_s: Sequence[float]
    failing: float
    known: str
    workers: int = 1

    def wall_s(self, random: Random) -> float:
        """Draw how long a task keeps its batch busy, in seconds."""
        return random.choice(self.walls_s) / self.workers

    def fails(self, random: Random) -> bool:
        """Draw whether an attempt fails."""
        return self.failing > 0 and random.random() < self.failing

    @property
    def median_s(self) -> float:
        """The time that half of the tasks take, at most."""
        return sorted(self.walls_s)[(len(self.walls_s) - 1) // 2]

    def __str__(self) -> str:
        fails = f", {self.failing:.1%} of attempts fail" if self.failing else ""
        return f"{show_duration(self.median_s)} a task{fails} ({self.known})"


def timings(
    campaign: Campaign,
    records: Mapping[str, Ledger],
    *,
    given: Mapping[str, float],
    failing: float | None = None,
) -> dict[str, Timing]:
    """Return the timing of each stage.

    `records` are looked through in their order, each called by how to speak of it; `given` (seconds a task by stage) and
    `failing` (a share of the attempts) go before what they say. Raises DefinitionError if a stage is not known.
    """
    if strange := given.keys() - {stage.name for stage in campaign.stages}:
        raise DefinitionError(
            f"--time names the stage '{min(strange)}', which is not there: there are {', '.join(s.name for s in campaign.stages)}"
        )
    made = {stage.name: timing(stage, records, given.get(stage.name), failing) for stage in campaign.stages}
    if unknown := [name for name, found in made.items() if found is None]:
        raise DefinitionError(
            f"nothing is known of how long a task of '{unknown[0]}' takes: give `--time {unknown[0]}=30s`, or `--from DIR`"
            " with a campaign that ran it"
        )
    return {name: found for name, found in made.items() if found}


def timing(
    stage: Stage, records: Mapping[str, Ledger], given_s: float | None, failing: float | None
) -> Timing | None:
    """Return the timing of one stage; None if nothing tells it."""
    if given_s is not None:
        return Timing([given_s], failing or 0.0, "as given", stage.workers)
    for known, ledger in records.items():
        if walls := measured(ledger, stage.name):
            share = failed_share(ledger, stage.name) if failing is None else failing
            return Timing(walls, share, f"{count(len(walls), 'task')} {known}", stage.workers)
    if stage.closing:
        return Timing([STEP_S], failing or 0.0, "assumed of a step of a closing")
    if limit_s := stage.resources.walltime_s:
        return Timing([limit_s], failing or 0.0, "the most that its `walltime` allows", stage.workers)
    return None


def measured(ledger: Ledger, stage: str) -> list[float]:
    """Return the wall times of the newest successful attempts of a stage, in seconds."""
    rows = ledger.db.execute(
        "SELECT wall_s FROM attempt WHERE stage = (SELECT id FROM stage WHERE name = ?) AND outcome = 'ok'"
        " AND wall_s IS NOT NULL ORDER BY id DESC LIMIT ?",
        (stage, MOST),
    )
    return [row[0] for row in rows]


def failed_share(ledger: Ledger, stage: str) -> float:
    """Return which share of a stage's attempts failed of the task's own."""
    ok, failed = ledger.db.execute(
        "SELECT count(*) FILTER (WHERE outcome = 'ok'), count(*) FILTER (WHERE outcome = 'error')"
        " FROM attempt WHERE stage = (SELECT id FROM stage WHERE name = ?)",
        (stage,),
    ).fetchone()
    return failed / (ok + failed) if failed else 0.0

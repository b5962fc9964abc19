"""A look ahead: the conductor works on a pretended cluster, with a turned clock, and the record stays as it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from penstock.campaign import Campaign
from penstock.errors import DefinitionError
from penstock.ledger import Ledger
from penstock.simulation.forecast import Forecast
from penstock.simulation.rehearsal import Course, prepared, rehearse
from penstock.simulation.shape import Shape
from penstock.simulation.timing import Timing, timings

__all__ = ["Course", "Forecast", "Shape", "Timing", "simulate"]

Watch = Callable[[int], None]


def simulate(
    campaign: Campaign,
    shape: Shape,
    *,
    courses: int = 10,
    seed: int = 1,
    times_s: Mapping[str, float] | None = None,
    failing: float | None = None,
    earlier: Path | None = None,
    batches: Sequence[Mapping[str, int]] = ({},),
    keep: Path | None = None,
    watch: Watch = lambda done: None,
    now: float | None = None,
) -> list[Forecast]:
    """Return what would come of `run` now, once for each choice of batch sizes (tasks by stage).

    Tasks take as long as in the record, in the one of the campaign in `earlier`, or as `times_s` says (seconds a task by
    stage), and so many fail. The same seed gives the same courses. `keep`: a new folder for what the first course recorded.
    `watch` is told how many courses are done. Raises DefinitionError if it is not known how long a stage takes.
    """
    now = time.time() if now is None else now
    if keep and keep.exists():
        raise DefinitionError(f"--keep {keep} exists already: name a new folder")
    for stage in campaign.stages:
        shape.check(stage.name, stage.resources.cpus * stage.workers)
    with prepared(campaign) as record:
        known = known_timings(campaign, record, times_s or {}, failing, earlier)
        forecasts, done = list[Forecast](), 0
        for sizes in batches:
            cut, gone = with_batches(campaign, sizes), list[Course]()
            for number in range(courses):
                place = keep if not done else None
                gone.append(rehearse(cut, record, shape, known, seed=seed + number, now=now, keep=place))
                watch(done := done + 1)
            told = {name: str(timing) for name, timing in known.items()}
            forecasts.append(Forecast(now, gone, told, sizes))
    return forecasts


def known_timings(
    campaign: Campaign,
    record: Path,
    times_s: Mapping[str, float],
    failing: float | None,
    earlier: Path | None,
) -> dict[str, Timing]:
    """Return how long tasks take, by stage, from this record or an earlier one."""
    with ExitStack() as opened:
        import sqlite3

        mine = sqlite3.connect(record)
        opened.callback(mine.close)
        records = {"of this campaign": Ledger(mine, root=campaign.root)}
        if earlier:
            there = opened.enter_context(Ledger.open(earlier, readonly=True))
            records = {f"of {earlier}": there, **records}
        return timings(campaign, records, given=times_s, failing=failing)


def with_batches(campaign: Campaign, sizes: Mapping[str, int]) -> Campaign:
    """Return a campaign some of whose stages have other batches."""
    if strange := sizes.keys() - {stage.name for stage in campaign.stages}:
        raise DefinitionError(f"--batch names the stage '{min(strange)}', which is not there")
    stages = tuple(replace(s, batch=sizes.get(s.name, s.batch)) for s in campaign.stages)
    return replace(campaign, stages=stages) if sizes else campaign

"""A look ahead: the conductor works on a pretended cluster, with a turned clock, and the record stays as it is.

Where that would take long, a model of batches takes its place.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Literal

from penstock.campaign import Campaign
from penstock.errors import DefinitionError
from penstock.ledger import Ledger
from penstock.simulation.course import Course
from penstock.simulation.forecast import Forecast
from penstock.simulation.rehearsal import cores_here, count_to_do, prepared, rehearse
from penstock.simulation.shape import Shape
from penstock.simulation.timing import Timing, timings
from penstock.simulation.waits import Waits, waits_of

__all__ = ["Course", "Forecast", "Shape", "Timing", "Way", "simulate"]

Watch = Callable[[int], None]
Way = Literal["engine", "model"]

MOST = 20_000  # tasks of all courses together that the engine itself goes through, unless that is asked for


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
    way: Way | None = None,
    watch: Watch = lambda done: None,
    now: float | None = None,
) -> list[Forecast]:
    """Return what would come of `run` now, once for each choice of batch sizes (tasks by stage).

    Tasks take as long as in the record, in the one of the campaign in `earlier`, or as `times_s` says (seconds a task by
    stage), and so many fail; jobs wait as long as there, unless the shape says it. The same seed gives the same courses.
    `keep`: a new folder for what the first course recorded. `way`: let the engine itself work, or its model; by default
    the model where there is much to do. `watch` is told how many courses are done. Raises DefinitionError if there are no
    units, or if it is not known how long a stage takes, and LedgerError where what is written meanwhile has no room.
    """
    now = time.time() if now is None else now
    check(campaign, shape, batches, keep)
    with prepared(campaign) as record, opened(campaign, record, earlier) as records:
        known = timings(campaign, records, given=times_s or {}, failing=failing)
        shape = shape.completed(known_waits(records.values()))
        told = {name: str(timing) for name, timing in known.items()}
        cluster = None if all(campaign.site_of(stage).is_here for stage in campaign.stages) else shape
        many = count_to_do(record) * courses * len(batches) > MOST and not keep
        by: Way = way or ("model" if many else "engine")
        forecasts, done, play = list[Forecast](), 0, player(by, campaign, record, shape, known, now)
        for sizes in batches:
            chosen, gone = with_batches(campaign, sizes), list[Course]()
            for number in range(courses):
                gone.append(play(chosen, seed + number, None if done else keep))
                watch(done := done + 1)
            forecasts.append(Forecast(now, by, gone, told, sizes, cluster))
    return forecasts


def check(campaign: Campaign, shape: Shape, batches: Sequence[Mapping[str, int]], keep: Path | None) -> None:
    """Raise DefinitionError for what cannot be simulated, before anything is."""
    if keep and (keep.exists() or not keep.absolute().parent.is_dir()):
        wrong = "exists already" if keep.exists() else "is in a folder that is not there"
        raise DefinitionError(f"--keep {keep} {wrong}: name a new folder in one that there is")
    for stage in campaign.stages:
        shape.check(stage.name, stage.resources.cpus * stage.workers)
    for sizes in batches:
        with_batches(campaign, sizes)


def player(
    by: Way, campaign: Campaign, record: Path, shape: Shape, known: Mapping[str, Timing], now: float
) -> Callable[[Campaign, int, Path | None], Course]:
    """Return what plays a course, given the sizes of its batches in a campaign, a seed, and where its record is kept."""
    if by == "engine":
        return lambda chosen, seed, keep: rehearse(
            chosen, record, shape, known, seed=seed, now=now, keep=keep
        )
    try:
        from penstock.simulation.crowd import Crowd
        from penstock.simulation.model import Model
    except ModuleNotFoundError:
        raise DefinitionError(
            "so many tasks are simulated with numpy, which is not installed: `pip install numpy`, or give `--by engine`"
        ) from None
    crowd, cores = Crowd(campaign, record), cores_here(campaign)
    return lambda chosen, seed, keep: Model(chosen, crowd, shape, known, cores_here=cores, seed=seed).run()


@contextmanager
def opened(campaign: Campaign, record: Path, earlier: Path | None) -> Generator[dict[str, Ledger]]:
    """Give the records that tell how long tasks take, the better ones first, each called by how to speak of it."""
    with ExitStack() as stack:
        mine = stack.enter_context(closing(sqlite3.connect(record)))
        records = {"of this campaign": Ledger(mine, root=campaign.root)}
        if earlier:
            there = stack.enter_context(Ledger.open(earlier, readonly=True))
            records = {f"of {earlier}": there, **records}
        yield records


def known_waits(records: Iterable[Ledger]) -> Waits:
    """Return what is known of the waits of jobs, from the first record that tells it."""
    queue_s, start_s = zip(*map(waits_of, records), strict=True)
    return Waits(*(next((s for s in each if s is not None), None) for each in (queue_s, start_s)))


def with_batches(campaign: Campaign, sizes: Mapping[str, int]) -> Campaign:
    """Return a campaign some of whose stages have other batches."""
    if strange := sizes.keys() - {stage.name for stage in campaign.stages}:
        raise DefinitionError(f"--batch names the stage '{min(strange)}', which is not there")
    stages = tuple(replace(s, batch=sizes.get(s.name, s.batch)) for s in campaign.stages)
    return replace(campaign, stages=stages) if sizes else campaign

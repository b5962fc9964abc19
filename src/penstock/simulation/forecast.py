"""What would come of a campaign: when it would be finished, and what it would take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from penstock.display import count, show_duration, show_time
from penstock.simulation.course import Course
from penstock.simulation.shape import Shape

QUANTILES = {"p10": 0.1, "p50": 0.5, "p90": 0.9}


@dataclass(frozen=True, slots=True)
class Forecast:
    """Pretended courses of one campaign that begins at `begun` (UTC seconds), and what they assume: of each stage in
    words, and of the cluster; None: all run on this machine.

    `by`: the engine, or its model. `batch`: how many tasks a batch of some stages has instead of what the definition says.
    """

    begun: float
    by: str
    courses: Sequence[Course]
    timings: Mapping[str, str]
    batch: Mapping[str, int]
    shape: Shape | None

    def finish_s(self, share: float) -> float:
        """Return within how many seconds a share of the courses is finished."""
        ordered = sorted(course.finish_s for course in self.courses)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    def typical(self, name: str) -> float:
        """Return the median of one number of the courses."""
        return median(getattr(course, name) for course in self.courses)

    @property
    def undone(self) -> int:
        """How many tasks are never done in a typical course."""
        return round(median(sum(n for state, n in c.states.items() if state != "done") for c in self.courses))

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "begun": self.begun,
            "by": self.by,
            "finish_s": {name: self.finish_s(share) for name, share in QUANTILES.items()},
            "core_s": self.typical("core_s"),
            "jobs": self.typical("jobs"),
            "elements": self.typical("elements"),
            "undone": self.undone,
            "batch": dict(self.batch),
            "timings": dict(self.timings),
            "shape": self.shape and asdict(self.shape),
            "courses": [asdict(course) for course in self.courses],
        }

    def lines(self) -> Iterator[str]:
        """Yield it as a person reads it."""
        for name, known in self.timings.items():
            yield f"{name}: {known}"
        if self.shape:
            yield f"jobs: {self.shape}"
        yield self.line()
        if self.by == "model":
            yield "by a model of batches, since there is much to do: `--by engine` lets the engine itself work"
        if ends := self.courses[0].ends_s:
            yield "done by stage, in the first course: " + ", ".join(
                f"{name} after {show_duration(ends[name])}" for name in self.timings if name in ends
            )
        if self.undone:
            yield f"{count(self.undone, 'task')} would not be done: too much failed, or what they wait for is not there yet"

    def line(self) -> str:
        """Return the outcome in one line."""
        if not any(course.attempts for course in self.courses):
            return "there is nothing to do"
        early, middle, late = (self.finish_s(share) for share in QUANTILES.values())
        when = show_time(self.begun + middle, now=self.begun)
        range_ = f"{show_duration(early)} to {show_duration(late)} in 8 of 10 courses"
        return (
            f"finished after {show_duration(middle)} ({range_}), at {when} UTC; {self.typical('core_s') / 3600:.3g} core-hours,"
            f" {count(round(self.typical('jobs')), 'job')} with {count(round(self.typical('elements')), 'element')}"
        )

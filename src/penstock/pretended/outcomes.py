"""What happens to a simulated task, as the test decides."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Then = Literal["goes on", "dies", "goes silent", "ends late"]


@dataclass(frozen=True, slots=True)
class Run:
    """One try of a task, as the rule of a test sees it."""

    stage: str
    key: str  # as printed: 2020-01-17/01807
    number: int  # 1 the first time that this site runs it
    task: Mapping[str, Any]  # the line that a runner would read: argv or fields, inputs, products

    @property
    def inputs(self) -> Mapping[str, Any]:
        """The upstream products by stage, as a Python stage is given them."""
        return self.task.get("inputs") or {}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a pretended task ends.

    `contents` are the bytes of its products by name (a product called `product` if there is only one);
    those not named get a line that says who made them. `then` is what the runner does instead of going on:
    die in the middle of the task, go silent but live, or write the end only after it was given up.
    """

    name: str = "ok"
    seconds: float = 0.0
    contents: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    without: frozenset[str] = frozenset()  # optional products that it does not leave
    children: Sequence[tuple[Any, Mapping[str, Any]]] = ()
    result: Any = None
    code: int | None = None
    why: str | None = None
    verdict: str | None = None
    log: str = ""
    then: Then = "goes on"


#: says what becomes of each run of a task
Rule = Callable[[Run], Outcome]


def all_well(run: Run) -> Outcome:
    """The rule by which every task ends well at once."""
    return Outcome()


def failing(*stages: str, times: int = 1_000_000, why: str = "exit code 1") -> Rule:
    """Return the rule by which tasks of these stages fail so many times, and all others end well.

    >>> rule = failing("merge", times=1)
    >>> [rule(Run("merge", "a", n, {})).outcome for n in (1, 2)]
    ['error', 'ok']
    """

    def rule(run: Run) -> Outcome:
        if run.stage in stages and run.number <= times:
            return Outcome("error", code=1, why=why)
        return Outcome()

    return rule

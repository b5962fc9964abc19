"""Decisions: data in, a decision with its reason out. Nothing here touches a file or a clock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Literal, NamedTuple

from penstock.campaign import Allowance, Members, Rule

State = Literal["waiting", "ready", "queued", "running", "done", "failed", "blocked", "vetoed", "gone"]
Outcome = Literal[
    "ok", "error", "timeout", "out_of_memory", "node_failure", "preempted",
    "cancelled", "missing_product", "lost", "unstarted",
]  # fmt: skip

#: states in which a task may still become done by itself
OPEN: tuple[State, ...] = ("waiting", "ready", "queued", "running")
STATES: tuple[State, ...] = (*OPEN, "done", "failed", "blocked", "vetoed", "gone")

DOUBTFUL = "made while the input changed"  # of an upstream: done, and not to be used
NO_KEY = "has no task for the key that its fields name"
NOT_MEANT = (DOUBTFUL, NO_KEY, "failed", "is gone")  # how the reasons end that nobody decided

FREE_AT_MOST = 5
MINUTE = 60.0

#: failure class → what a cluster allows it
RETRIES: dict[str, Allowance] = {
    "node_failure": Allowance(FREE_AT_MOST),  # the machine's fault: free
    "preempted": Allowance(FREE_AT_MOST),  # the scheduler's wish: free
    "lost": Allowance(FREE_AT_MOST),  # no news: nobody's proven fault
    "unstarted": Allowance(FREE_AT_MOST),  # never began
    "timeout": Allowance(2, scale=2.0),  # twice the time each time
    "out_of_memory": Allowance(2, scale=2.0),  # twice the memory, alone in its batch
    "error": Allowance(3, (1 * MINUTE, 5 * MINUTE, 25 * MINUTE)),
    "missing_product": Allowance(3, (1 * MINUTE, 5 * MINUTE, 25 * MINUTE)),
    "cancelled": Allowance(0),  # a person's wish
}
#: what differs where a person sits and waits
RETRIES_LOCAL = RETRIES | {"error": Allowance(1), "missing_product": Allowance(1)}

FREE = frozenset({"node_failure", "preempted", "lost", "unstarted"})
DECIDED = ("veto", "mark")  # verdicts after which a task is nobody's trouble


class Upstream(NamedTuple):
    """What a task sees of one upstream: how many of its tasks are in which state.

    `doubtful` are those that are done, but whose input changed meanwhile.
    `group`: the upstream is finer (a merge); otherwise there is one task at most.
    """

    stage: str
    states: Mapping[str, int]
    group: bool = False
    expander: bool = False
    optional: bool = False
    missing: str = ""  # why there is no task, if more is known than "its `where` leaves it out"


class Verdict(NamedTuple):
    """The state that a task should have, and why."""

    state: State
    why: str | None = None


READY = Verdict("ready")


def readiness(
    upstreams: Iterable[Upstream],
    *,
    opening: str | None = None,
    members: Members = "all",
    empty: Literal["block", "run"] = "block",
) -> Verdict:
    """Decide whether a task may run: `waiting`, `blocked` or `ready`.

    >>> readiness([Upstream("dl1", {"done": 3, "failed": 1}, group=True)]).why
    "1 of 4 members of 'dl1' failed"
    """
    views = list(upstreams)
    verdicts = [judged(view, members, empty) for view in views]
    blocked = [v for v in verdicts if v.state == "blocked"]
    for verdict, seen in zip(verdicts, views, strict=True):
        if verdict.state == "blocked" and for_good(seen, members):
            return verdict
    if opening:
        what = "group open" if any(view.group for view in views) else "not complete"
        return Verdict("waiting", f"{what}, because {opening}")
    waiting = [v for v in verdicts if v.state == "waiting"]
    return (waiting or blocked or [READY])[0]


def is_not_meant(why: str) -> bool:
    """Whether a blocked task is so by accident: by no veto, and by no word of the definition such as `where`.

    One that is blocked behind another such task has that one's reason.

    >>> is_not_meant("'fit' made while the input changed"), is_not_meant("'fit' is vetoed")
    (True, False)
    """
    return why.endswith(NOT_MEANT)


def judged(view: Upstream, members: Members, empty: Literal["block", "run"]) -> Verdict:
    """Decide what one upstream allows."""
    if view.expander:
        return of_expanders(view, members)
    return of_group(view, members, empty) if view.group else of_one(view)


def for_good(view: Upstream, members: Members) -> bool:
    """Whether what blocks exists already, so that members still to come cannot resolve it."""
    failed = view.states.get("failed") or view.states.get("blocked")
    return not view.group or bool(failed and members == "all") or "doubtful" in view.states


def of_group(view: Upstream, members: Members, empty: str) -> Verdict:
    """Judge a finer upstream: all its tasks under the group."""
    states, total = view.states, sum(view.states.values())
    if doubtful := states.get("doubtful"):
        return Verdict("blocked", f"{doubtful} of {total} members of '{view.stage}' {DOUBTFUL}")
    bad = states.get("failed", 0) + states.get("blocked", 0)
    if bad and members == "all":
        kinds = [kind for kind in ("failed", "blocked") if states.get(kind)]
        return Verdict("blocked", f"{bad} of {total} members of '{view.stage}' {' or '.join(kinds)}")
    unfinished = sum(states.get(s, 0) for s in OPEN)
    if unfinished:
        return Verdict("waiting", f"{unfinished} of {total} members of '{view.stage}' not done yet")
    if not states.get("done") and empty == "block":
        return Verdict(
            "blocked", f"no member of '{view.stage}' is done" if total else f"no members in '{view.stage}'"
        )
    return READY


def of_one(view: Upstream) -> Verdict:
    """Judge the one upstream task at the same or a coarser level, or the one that fields name."""
    states = view.states
    if states.get("doubtful"):
        return Verdict("blocked", f"'{view.stage}' {DOUBTFUL}")
    if any(states.get(s) for s in OPEN):
        return Verdict("waiting", f"'{view.stage}' is not done yet")
    bad = next((s for s in ("failed", "blocked", "vetoed", "gone") if states.get(s)), None)
    if bad:
        return Verdict("blocked", f"'{view.stage}' is {bad}" if bad != "failed" else f"'{view.stage}' failed")
    if states.get("done") or view.optional:
        return READY
    return Verdict("blocked", view.missing or f"'{view.stage}' has no task here (its `where` excludes it)")


def of_expanders(view: Upstream, members: Members) -> Verdict:
    """Judge a stage that may still add members; one that failed may have unknown members."""
    bad = next((s for s in ("failed", "blocked") if view.states.get(s)), None)
    if bad and members == "all":
        return Verdict("blocked", f"'{view.stage}' {'failed' if bad == 'failed' else 'is blocked'}")
    if any(view.states.get(s) for s in OPEN):
        return Verdict("waiting", f"group open, because '{view.stage}' may still add members")
    return READY


def before_run(rules: Sequence[Rule], values: Mapping[str, Any]) -> Rule | None:
    """Return the rule that keeps a unit with these fields from being run.

    The first rule counts of which all conditions hold; it may say no more than how often a failure is retried.
    """
    first = next((rule for rule in rules if not rule.needs_end and rule.fits(values)), None)
    return first if first and first.decides_before else None


class Failure(NamedTuple):
    """An unsuccessful attempt, with what was spent before it."""

    outcome: str
    why: str = ""
    verdict: str | None = None  # of a rule, or of the stage's own code: permanent, transient, veto, mark
    tries: int = 0  # attempts before it that cost a retry
    free: int = 0  # attempts before it that did not
    suspect: bool = False  # it was in flight when its whole batch died
    may_grow: bool = True  # False: time or memory is at the site's limit already


class Next(NamedTuple):
    """What happens to a task after an attempt."""

    state: State
    why: str
    delay_s: float = 0.0
    tries: int = 0
    free: int = 0
    alone: bool = False
    time_scale: float = 1.0
    memory_scale: float = 1.0


def after_failure(failure: Failure, allowances: Mapping[str, Allowance]) -> Next:
    """Decide what happens to a task after a failed attempt, and why.

    >>> after_failure(Failure("node_failure"), RETRIES).why
    'retried at no cost (1 of 5)'
    """
    tries, free = failure.tries, failure.free
    if failure.verdict == "veto":
        return Next("vetoed", failure.why, tries=tries + 1, free=free)
    if failure.verdict == "mark":
        return Next("done", f"marked: {failure.why}")
    if failure.verdict == "permanent":
        return Next("failed", f"not retried: {failure.why}", tries=tries + 1, free=free)
    outcome = "node_failure" if failure.verdict == "transient" else failure.outcome
    allowance = allowances[outcome]
    if outcome in FREE:
        if free >= allowance.times:
            return Next("failed", f"{outcome} {free + 1} times: {failure.why}", tries=tries, free=free + 1)
        why = f"retried at no cost ({free + 1} of {allowance.times})" + (", alone" if failure.suspect else "")
        return Next("ready", why, tries=tries, free=free + 1, alone=failure.suspect)
    if tries >= allowance.times:
        spent = "1 try" if tries == 0 else f"{tries + 1} tries"
        return Next("failed", f"{outcome} after {spent}: {failure.why}", tries=tries + 1, free=free)
    return again(outcome, allowance, failure)


def again(outcome: str, allowance: Allowance, failure: Failure) -> Next:
    """Return another try, later or with more of what it lacked."""
    tries = failure.tries
    delay = allowance.delays_s[min(tries, len(allowance.delays_s) - 1)]
    more = allowance.scale if failure.may_grow else 1.0
    why = f"retried (try {tries + 2} of {allowance.times + 1})" + (f" in {delay:g} s" if delay else "")
    return Next(
        "ready",
        why,
        delay_s=delay,
        tries=tries + 1,
        free=failure.free,
        alone=outcome == "out_of_memory" or failure.suspect,
        time_scale=more if outcome == "timeout" else 1.0,
        memory_scale=more if outcome == "out_of_memory" else 1.0,
    )


#: what a stage lacks when all its attempts end so
LACKING = {
    "out_of_memory": ": its `resources.memory` is too little",
    "timeout": ": its `resources.walltime` is too short",
}


class Seen(NamedTuple):
    """An attempt as the fuse sees it."""

    outcome: str
    code: int | None = None
    verdict: str | None = None


def fuse(first: Sequence[Seen]) -> str | None:
    """Return why a stage should pause after its `first` attempts (oldest first), or None.

    It does when the first 5 fail the same way, or 20 of the first 100 do, and none succeeded: what is
    wrong is then the stage, not the units.
    """
    if any(seen.outcome == "ok" for seen in first) or not first:
        return None
    costly = [s for s in islice(first, 100) if s.outcome not in FREE and s.verdict not in DECIDED]
    alike: dict[Seen, int] = {}
    for number, seen in enumerate(costly, 1):
        alike[seen] = alike.get(seen, 0) + 1
        if alike[seen] == 20 or (number == alike[seen] == 5):
            code = f" with exit code {seen.code}" if seen.code else ""
            told = f"{alike[seen]} of its first {number} attempts failed the same way ({seen.outcome}{code}) and none succeeded"
            return told + LACKING.get(seen.outcome, "")
    return None

"""States, outcomes and what follows from them, from `penstock.decide`."""

from typing import get_args

from penstock.campaign import Allowance
from penstock.decide import FREE, RETRIES, RETRIES_LOCAL, STATES, Outcome
from penstock_reference.markdown import code, join, sentence, table

STATE_MEANINGS = {
    "waiting": "an upstream is not done yet, or the group is still open; it may still become ready by itself",
    "ready": "everything it needs is done; it starts when a slot is free, or when its next try is due",
    "queued": "in a batch that a runner has, or will have; its turn has not come",
    "running": "its runner has started it",
    "done": "it succeeded and its products exist, recorded with size and digest. It stays done when the definition"
    " or an input changes; then it is marked *stale*",
    "failed": "no retries are left, or a person cancelled it; `penstock retry` gives it new ones, and so does a changed"
    " input file",
    "blocked": "what it needs failed, is blocked, vetoed or gone, or has no task; it becomes ready by itself when that is"
    " fixed",
    "vetoed": "a person, or the stage's own code, decided that it must not be processed",
    "gone": "its input disappeared before it was done; what was done before stays done",
}

OUTCOME_MEANINGS = {
    "ok": "the exit code means success and every product exists",
    "error": "the program ended with another exit code or by a signal, or the function raised",
    "timeout": "it was still running at its time limit and was stopped",
    "out_of_memory": "the system killed it for its memory use, or the function raised MemoryError",
    "node_failure": "the machine or its disk failed, not the program: no space, read-only, too many open files",
    "preempted": "the scheduler stopped it for another job",
    "cancelled": "a person cancelled it",
    "missing_product": "the exit code means success, but a product is missing",
    "lost": "the runner is gone without an event about this task's end",
    "unstarted": "returned before its turn came: the task was never started",
}

INTRODUCTION = """# States and outcomes

A *task* has a state. Each *attempt* at it has an outcome. From the outcome, the attempts before it and the stage's
`retry` and `rules`, one function decides what happens to the task; `penstock why` prints that decision."""

STALE = """A done task is *stale* when the definition that made it, or an input that it was made from, has
changed since. The definition is the command or function, `params`, `products`, `after`, `where`, `setup`, `environment`,
`version` and the rules about success. Resources, batches, workers, sites and retries are not part of it. Files count by
size and time, upstream products by their digest: an upstream that makes the same bytes again makes nothing stale.
Stale tasks are redone by `penstock run --stale`; only a group whose members changed is redone by itself."""

VERDICTS = """A verdict overrides the outcome. A stage's `rules`, `task.fail` and `task.veto` give one: `permanent` fails
the task at once, `transient` makes the attempt a free one, `veto` vetoes the task, `mark` (of rules only) counts it as
done without its products. A rule that has no condition but `where` vetoes or marks before anything is run."""

FUSE = """When the first 5 attempts of a stage fail the same way, or 20 of the first 100, and none succeeded, the stage is
*paused*: what is wrong is then the stage and not the units. `penstock run` ends with 1 and shows the program's output;
`penstock retry --stage NAME` resumes it, and so does a changed definition of the stage. A
site that does not work, such as one with a full disk, stops the stages that ran there; the next `run` resumes them."""


def render_page() -> str:
    """Render the page."""
    return join(
        INTRODUCTION,
        "## Task states",
        table(("state", "meaning"), ((code(s), sentence(STATE_MEANINGS[s])) for s in STATES)),
        "## Stale",
        STALE,
        "## Attempt outcomes",
        table(("outcome", "meaning"), ((code(o), sentence(OUTCOME_MEANINGS[o])) for o in get_args(Outcome))),
        "## Retries",
        "How often a class of failure is retried unless the stage's [`retry`](definition.md#retry) says otherwise. A *free*"
        " attempt costs the task none of its other retries.",
        table(("outcome", "on this machine", "on a cluster"), map(_retries, RETRIES)),
        VERDICTS,
        "## Fuse",
        FUSE,
    )


def _retries(outcome: str) -> tuple[str, str, str]:
    free = ", free" if outcome in FREE else ""
    return code(outcome), *(describe(allowed[outcome]) + free for allowed in (RETRIES_LOCAL, RETRIES))


def describe(allowance: Allowance) -> str:
    """Say in words what an allowance allows."""
    if not allowance.times:
        return "not again"
    waits = ", ".join(f"{delay / 60:g}" for delay in allowance.delays_s)
    delay = f", after {waits} min" if any(allowance.delays_s) else ", at once"
    more = f", each time with {allowance.scale:g} × the resource" if allowance.scale != 1 else ""
    return f"{allowance.times} more{delay}{more}"

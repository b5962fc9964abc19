"""Going to a cluster, or not: one that cannot be reached is left alone for a while, and nothing of it changes.

That is a state and no failure: others go on, and when it is back, what was left undone is done first.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from penstock.conductor.context import Context
from penstock.conductor.greeting import greet, revoke_at
from penstock.errors import AuthNeeded, SiteError
from penstock.ledger import jobs
from penstock.ledger.experience import experience_of, learn, longer

T = TypeVar("T")

ALONE_S, ALONE_AT_MOST_S = 2.0, 300.0  # between two tries, the longer the more of them there were


def visit(context: Context, name: str, do: Callable[[], T], otherwise: T) -> T:
    """Do something at a cluster; return `otherwise` if it cannot be reached, or is left alone for now."""
    known = experience_of(context.ledger.db, name)
    if known.is_left_alone(context.clock.now()):
        return otherwise
    try:
        if known.away is not None:
            greet(context, name)
            note_back(context, name)
        return do()
    except SiteError as error:
        note_away(context, name, error)
        return otherwise


def note_away(context: Context, name: str, error: SiteError) -> None:
    """Record that a site cannot be reached, since when and why, and when to try again.

    Whether a person has logged in asks nobody there, so that is looked at in every turn.
    """
    known, now = experience_of(context.ledger.db, name), context.clock.now()
    why = str(error).removeprefix(f"site '{name}'").lstrip(": ")
    if isinstance(error, AuthNeeded):
        failures, due = 0, None
    else:
        failures = 1 if known.away is None else known.failures + 1
        due = now + longer(ALONE_S, failures - 1, at_most=ALONE_AT_MOST_S)
    if (known.away_why, known.ask_due) == (why, due):
        return  # as it was a turn ago
    learn(context.ledger, name, away=known.away or now, away_why=why, failures=failures, ask_due=due)
    context.ledger.set_problem(
        f"site {name}", None, now
    )  # what its scheduler said before may not hold any more


def note_back(context: Context, name: str) -> None:
    """Record that a site is reached again."""
    learn(context.ledger, name, away=None, away_why=None, failures=0, ask_due=None)


def revoke(context: Context, which: str) -> None:
    """Tell all runners not to go on with those of their tasks for which the SQL condition `which` holds."""
    for name in dict.fromkeys(job["site"] for job in jobs.open_jobs(context.ledger.db)):
        if context.sites.feeding_site(name):
            revoke_at(context, name, which)
        else:
            visit(context, name, partial(revoke_at, context, name, which), None)

"""How a command that does work reports: while it runs, and at its end."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from penstock.cli.live import Observe, observing
from penstock.display import Labels, visible

if TYPE_CHECKING:
    from penstock.conductor import Ending
    from penstock.ledger import Ledger

_ENDED = """
SELECT attempt.id, stage.name AS stage, unit.key, attempt.outcome, task.state, coalesce(attempt.why, task.why) AS why,
    attempt.ended, attempt.wall_s, attempt.host
FROM attempt JOIN stage ON stage.id = attempt.stage JOIN unit ON unit.id = attempt.unit
LEFT JOIN task ON task.stage = attempt.stage AND task.unit = attempt.unit
WHERE attempt.id > ? ORDER BY attempt.id
"""


class Manner(NamedTuple):
    """What shows the work while it runs, and what reports its end."""

    observing: Callable[[Ledger], AbstractContextManager[Observe]]
    tell: Callable[[Ending], None]


@contextmanager
def observe_progress(ledger: Ledger) -> Generator[Observe]:
    """Show a table, or a line now and then."""
    with observing() as observe:
        yield observe


@contextmanager
def observe_nothing(ledger: Ledger) -> Generator[Observe]:
    """Show nothing."""
    yield lambda ledger: None


@contextmanager
def observe_attempts(ledger: Ledger) -> Generator[Observe]:
    """Print each attempt that ends from now on, as a line of JSON."""
    last = int(ledger.db.execute("SELECT coalesce(max(id), 0) FROM attempt").fetchone()[0])
    labels = Labels.read(ledger.db)

    def observe(ledger: Ledger) -> None:
        nonlocal last
        for row in ledger.db.execute(_ENDED, (last,)):
            last = row["id"]
            told = {
                name: row[name] for name in ("stage", "outcome", "state", "why", "ended", "wall_s", "host")
            }
            print_line({"event": "attempt", "unit": labels.label(row["key"]), **told})

    yield observe


def tell_lines(ending: Ending) -> None:
    """Print in sentences how it ended."""
    for line in ending.lines:
        click.echo(visible(line))


def tell_failure(ending: Ending) -> None:
    """Print how it ended unless all went well."""
    if ending.code:
        tell_lines(ending)


def tell_event(ending: Ending) -> None:
    """Print how it ended, as a line of JSON."""
    print_line({"event": "end", "code": ending.code, "lines": ending.lines})


def print_line(data: dict[str, Any]) -> None:
    """Print one line at once, for a program that follows the output."""
    print(json.dumps(data), flush=True)


PROGRESS = Manner(observe_progress, tell_lines)
QUIET = Manner(observe_nothing, tell_failure)
EVENTS = Manner(observe_attempts, tell_event)

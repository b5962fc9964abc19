"""`penstock history`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from penstock.cli.options import (
    campaign_option,
    json_option,
    open_record,
    print_json,
    stage_option,
    unit_argument,
)
from penstock.display import visible

if TYPE_CHECKING:
    from penstock.record.rows import Event


@click.command(
    epilog="""\b
Examples:
  penstock history 2020-01-17/01807
  penstock history '2020-01-17/*' --stage calibrate --json"""
)
@unit_argument
@stage_option
@campaign_option
@json_option
def history(unit: str, stage: str | None, root: Path, as_json: bool) -> None:
    """Tell what happened to a unit, by whom and why, since it was first seen. Times are UTC.

    UNIT is a name as `penstock units` prints it, a group (which has a history of its own, without that of its
    members), a pattern with `*`, or the path of a file or a product.
    """
    from penstock.record.history import describe_members, read_history

    with open_record(root) as ledger:
        events = read_history(ledger, unit, stage)
        members = describe_members(ledger, unit)
    if as_json:
        print_json([to_json(event) for event in events])
        return
    several = len({event.unit for event in events}) > 1
    for name, own in groupby(sorted(events, key=lambda event: event.unit), key=lambda event: event.unit):
        if several:
            click.echo(visible(name))
        for line in lines_of([*own]):
            click.echo(visible(line))
    if members:
        click.echo(members)


def to_json(event: Event) -> dict[str, Any]:
    """Return an event as plain data."""
    return {**asdict(event), "at": event.at.timestamp()}


def lines_of(events: Sequence[Event]) -> Iterator[str]:
    """Yield a line for each event, in columns."""
    stages = max((len(event.stage or "") for event in events), default=0)
    whats = max((len(event.what) for event in events), default=0)
    for event in events:
        told = ": ".join(filter(None, (event.by and f"by {event.by}", event.why)))
        then = f" → {event.then}" if event.then else ""
        line = f"{event.at:%Y-%m-%d %H:%M:%S}  {event.stage or '':<{stages}}  {event.what:<{whats}}  {told}{then}"
        yield line.rstrip()

"""The status as a coloured table for the terminal; imported only when one is printed."""

from __future__ import annotations

from rich.console import Group
from rich.table import Table
from rich.text import Text

from penstock.display import visible
from penstock.status.model import COLOURS, OPEN, StageStatus, Status, show_left

_BAR = 24
_DRAWN = ("done", "failed", "blocked", "vetoed", "gone", "running", "queued", "ready", "waiting")


def render_status(status: Status) -> Group:
    """Return the headline, a row with a bar for each stage, and the problems."""
    head = Text(visible(status.campaign), style="bold")
    head.append(f"  {status.headline()}", style="not bold bright_black")
    notes = [Text(line, style=_note_style(line)) for line in status.notes()]
    return Group(head, _render_table(status), *notes)


def _note_style(line: str) -> str:
    return "red" if line.startswith("!") else "bold" if line == "problems" else ""


def _render_table(status: Status) -> Table:
    columns = status.columns()
    table = Table(box=None, pad_edge=False, header_style="bright_black")
    for name in ("stage", "each", ""):
        table.add_column(name, no_wrap=True)
    for name in (*columns, "left"):
        table.add_column(name, justify="right", no_wrap=True)
    for stage in status.stages:
        counts = [_colour_count(c, stage) for c in columns]
        table.add_row(
            Text(visible(stage.name)), Text(stage.each), render_bar(stage), *counts, show_left(stage)
        )
    return table


def _colour_count(column: str, stage: StageStatus) -> Text:
    count = stage.stale if column == "stale" else stage.tasks[column]
    return Text(str(count), style=COLOURS.get(column, "yellow") if count else "bright_black")


def render_bar(stage: StageStatus) -> Text:
    """Return a bar whose parts are the shares of the states."""
    bar, drawn, seen = Text(), 0, 0
    for state in _DRAWN:
        seen += stage.tasks[state]
        until = round(_BAR * seen / stage.total) if stage.total else 0
        block = "░" if state in OPEN and state != "running" else "█"
        bar.append(block * (until - drawn), style=COLOURS[state])
        drawn = until
    return bar

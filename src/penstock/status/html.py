"""The status as a small table of HTML, for notebooks: its styles stand in it, and it suits light and dark pages."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from penstock.display import visible
from penstock.status.model import STATES, StageStatus, Status, show_left

# Tones that are told apart on white and on black.
TONES = {
    "done": "#2e9e5b",
    "running": "#3b82d6",
    "failed": "#d64545",
    "blocked": "#d64545",
    "vetoed": "#c9971c",
    "gone": "#c9971c",
}
OTHERS = "#8a8f98"
BAR = (
    "display:flex;width:12em;height:.8em;border-radius:.2em;overflow:hidden;background:rgba(138,143,152,.25)"
)
CELL = "padding:.1em .6em;text-align:right"


def write_html(status: Status) -> str:
    """Return the headline, a row with a bar for each stage, and what a person should know."""
    columns = status.columns()
    heads = "".join(f'<th style="{CELL}">{name}</th>' for name in (*columns, "left"))
    rows = "".join(row_of(status, stage) for stage in status.stages)
    notes = "<br>".join(f"<span{tone_of(line)}>{escape(line)}</span>" for line in status.notes())
    return (
        f'<div><b>{text(status.campaign)}</b> <span style="color:{OTHERS}">{text(status.headline())}</span>'
        f'<table style="border:0;margin:.3em 0"><tr><th style="{CELL};text-align:left">stage</th><th></th>{heads}</tr>'
        f"{rows}</table>{notes}</div>"
    )


def row_of(status: Status, stage: StageStatus) -> str:
    """Return the row of a stage."""
    counts = zip(status.columns(), status.counts(stage), strict=True)
    cells = "".join(
        f'<td style="{CELL}{colour(name) if count != "0" else ""}">{count}</td>' for name, count in counts
    )
    name = f'<td style="{CELL};text-align:left">{text(stage.name)}</td>'
    return f'<tr>{name}<td style="{CELL}">{bar_of(stage)}</td>{cells}<td style="{CELL}">{show_left(stage)}</td></tr>'


def bar_of(stage: StageStatus) -> str:
    """Return a bar whose parts are the shares of the states that are not to come."""
    return f'<div style="{BAR}" title="{escape(", ".join(shares(stage)))}">{"".join(parts(stage))}</div>'


def parts(stage: StageStatus) -> Iterator[str]:
    """Yield the parts of a bar."""
    for state, tone in TONES.items():
        if count := stage.tasks[state]:
            yield f'<div style="width:{100 * count / stage.total:.2f}%;background:{tone}"></div>'


def shares(stage: StageStatus) -> Iterator[str]:
    """Yield how many tasks are in which state."""
    return (f"{stage.tasks[state]} {state}" for state in STATES if stage.tasks[state])


def colour(column: str) -> str:
    """Return the style of a number."""
    return f";color:{TONES[column]}" if column in TONES else ""


def tone_of(line: str) -> str:
    """Return the style of a note."""
    return f' style="color:{TONES["failed"]}"' if line.startswith("!") else ""


def text(value: str) -> str:
    """Return a text as it may stand in a page."""
    return escape(visible(value))

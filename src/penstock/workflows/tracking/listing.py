"""What `penstock tracking` lists: the regions of a campaign, and what a file of trajectories holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.workflows.tracking.settings import Loading

if TYPE_CHECKING:
    from penstock.record import Record

INFER = "infer"
COLUMNS = ("region", "state", "steps", "cells", "D µm²/s", "V kT", "flagged", "why")


def list_regions(record: Record) -> Iterator[dict[str, Any]]:
    """Give a row for each region of a campaign: its state, what came of it, and why nothing did."""
    results = {row.unit: row.value for row in record.results(INFER)}
    for task in sorted(record.tasks(INFER), key=lambda task: task.unit):
        made: Mapping[str, Any] = results.get(task.unit) or {}
        counts = {name: task.fields.get(name) for name in ("steps", "cells")}
        yield {
            "region": task.unit,
            "state": task.state,
            **counts,
            **made,
            "why": _why(task.state, task.why, made),
        }


def _why(state: str, why: str | None, made: Mapping[str, Any]) -> str | None:
    if state == "done":
        return None if made.get("reason") == "converged" else made.get("reason")
    return why and why.removeprefix("not retried: ")


def table_of(rows: Iterable[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """Give the rows as texts, as a terminal shows them."""
    return [
        (
            row["region"], row["state"], _number(row["steps"], ","), _number(row["cells"], "d"),
            _number(row.get("diffusivity"), ".4g"), _number(row.get("depth"), ".2f"), _number(row.get("flagged"), "d"),
            row["why"] or "",
        )
        for row in rows
    ]  # fmt: skip


def _number(value: Any, form: str) -> str:
    return "" if value is None else format(value, form)


def align(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Give lines whose columns stand below each other, numbers to the right.

    >>> [*align(("a", "n"), [("x", "10"), ("y", "5")])]
    ['a   n', 'x  10', 'y   5']
    """
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    right = [i > 0 and all(row[i][:1].isdigit() or not row[i] for row in rows) for i in range(len(head))]
    for row in [head, *rows]:
        cells = [text.rjust(w) if r else text.ljust(w) for text, w, r in zip(row, widths, right, strict=True)]
        yield "  ".join(cells).rstrip()


def describe(path: Path, loading: Loading | None = None) -> dict[str, Any]:
    """Say what a file of trajectories holds, as it will be used. Raises Unreadable, DefinitionError."""
    import numpy as np

    from penstock.workflows.tracking.dividing import regions_of
    from penstock.workflows.tracking.reading import read_trajectories
    from penstock.workflows.tracking.translocations import find_translocations

    loading = loading or Loading()
    seen = read_trajectories(path, loading.scales, columns=loading.columns, link=loading.link)
    steps = find_translocations(seen, max_gap=loading.max_gap)
    regions = regions_of(path, seen, side=loading.side, labels=loading.regions)
    found, counts = np.unique(np.round(steps.dt, 9), return_counts=True)
    return {
        "file": str(path),
        "points": len(seen),
        "trajectories": len(np.unique(seen.n)),
        "steps": len(steps),
        "dimensions": seen.dimensions,
        "box_um": seen.box().tolist(),
        "dt_s": float(found[counts.argmax()]) if len(found) else None,
        "mean_step_um": steps.mean_step() if len(steps) else None,
        "regions": {each.name: int(each.contains(steps.r, steps.t).sum()) for each in regions},
        "faults": {each.name: each.fault for each in regions if each.fault},
        "told": [*seen.told],
    }

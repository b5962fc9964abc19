"""What the tasks of a stage returned, by their units, and how those failed that returned nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, cast, overload

from penstock.display import visible
from penstock.errors import LedgerError
from penstock.extras import need
from penstock.record import Record
from penstock.record.rows import Key, ResultRow

SHOWN = 20  # rows in a notebook
MOST_LOG = 20_000  # bytes of a log's end


@dataclass(frozen=True, slots=True)
class Failure:
    """How a task failed: why, and the end of what it wrote, a traceback with it."""

    unit: str
    key: Key
    why: str
    log: str


class Results(Sequence[ResultRow]):
    """The done tasks of a stage in their order; `results["0815"]` is what that unit's returned.

    Example: `results.to_frame()`, or `[failure.unit for failure in results.failed]`.
    """

    def __init__(
        self, rows: Sequence[ResultRow], failed: Sequence[Failure] = (), columns: Sequence[str] = ()
    ) -> None:
        self.rows, self.failed, self.levels = tuple(rows), tuple(failed), tuple(columns)

    @overload
    def __getitem__(self, item: int) -> ResultRow: ...
    @overload
    def __getitem__(self, item: slice) -> tuple[ResultRow, ...]: ...
    @overload
    def __getitem__(self, item: str) -> Any: ...
    def __getitem__(self, item: int | slice | str) -> Any:
        if not isinstance(item, str):
            return self.rows[item]
        found = next((row for row in self.rows if row.unit == item), None)
        if found is None:
            why = next((f": {one.why}" for one in self.failed if one.unit == item), "")
            raise KeyError(f"there is no result of {item!r}{why}")
        return found.value

    def __len__(self) -> int:
        return len(self.rows)

    def table(self) -> list[dict[str, Any]]:
        """Return a dict for each row: the key's levels, and what was returned; what is no dict is called `value`."""
        return [{**row.key, **columns_of(row.value)} for row in self.rows]

    def to_frame(self) -> Any:
        """Return a table of pandas: a row for each unit, whose key is the index."""
        pandas = need("pandas", "tables")
        frame = pandas.DataFrame(self.table())
        return frame.set_index([*self.levels]) if self.levels else frame

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        """Return what notebooks show."""
        return {"text/plain": "\n".join(self.lines()), "text/html": self.html()}

    def lines(self) -> Iterator[str]:
        """Yield the first rows as text, and all failures."""
        for row in self.rows[:SHOWN]:
            yield visible(f"{row.unit}: {row.value!r}")
        if len(self.rows) > SHOWN:
            yield f"… and {len(self.rows) - SHOWN} more"
        for failure in self.failed:
            yield visible(f"{failure.unit} failed: {failure.why}")

    def html(self) -> str:
        """Return the first rows as a table, and all failures, with what they wrote."""
        shown = self.table()[:SHOWN]
        names = [*dict.fromkeys(name for row in shown for name in row)]
        head = "".join(f"<th>{cell(name)}</th>" for name in names)
        lines = ["".join(f"<td>{cell(row.get(name, ''))}</td>" for name in names) for row in shown]
        rows = "".join(f"<tr>{line}</tr>" for line in lines)
        more = f"<p>… and {len(self.rows) - SHOWN} more</p>" if len(self.rows) > SHOWN else ""
        failed = "".join(map(details_of, self.failed))
        return f"<table><tr>{head}</tr>{rows}</table>{more}{failed}"


def details_of(failure: Failure) -> str:
    """Return how a task failed, as a page shows it: what it wrote is folded."""
    said = f"{cell(failure.unit)} failed: {cell(failure.why)}"
    return f"<details><summary>{said}</summary><pre>{escape(visible_lines(failure.log))}</pre></details>"


def read_results(record: Record, stage: str, explain: Callable[[str], str] = str) -> Results:
    """Return what the tasks of a stage returned until now, and how others failed; `explain` is applied to their logs."""
    failed = [
        Failure(task.unit, task.key, task.why or "", explain(log_of(record, stage, task.unit)))
        for task in record.tasks(stage, state="failed")
    ]
    rows = list(record.results(stage))
    return Results(rows, failed, [*rows[0].key] if rows else [])


def log_of(record: Record, stage: str, unit: str) -> str:
    """Return the end of what a task wrote; nothing where that is gone."""
    try:
        return record.log(stage, unit)[-MOST_LOG:].decode(errors="replace")
    except LedgerError:
        return ""


def visible_lines(text: str) -> str:
    """Return a text of many lines without what a terminal or a page would act on."""
    return "\n".join(map(visible, text.splitlines()))


def columns_of(value: Any) -> Mapping[str, Any]:
    """Return what a task returned as columns."""
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {"value": value}


def cell(value: Any) -> str:
    """Return a value as it may stand in a page."""
    return escape(visible(f"{value:.6g}" if isinstance(value, float) else str(value)))

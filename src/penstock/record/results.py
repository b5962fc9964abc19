"""What the tasks of a stage returned, by their units, and how those failed that returned nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, cast, overload

from penstock.display import InNotebooks, cut, html_table, visible
from penstock.errors import LedgerError
from penstock.extras import need
from penstock.record import Record
from penstock.record.rows import Key, ResultRow, Row, TaskRow

SHOWN = 20  # rows, columns and failures in a notebook, which keeps them when it is saved
MOST_CELL = 200  # characters of a value
MOST_FOLDED = 2000  # characters of the end of a log
NONE_DONE, NONE_FAILED = "no results yet", "none failed"
MOST_LOG = 20_000  # bytes of a log's end


@dataclass(frozen=True, slots=True)
class Failure(Row):
    """How a task failed: why, and the end of what it wrote, a traceback with it."""

    unit: str
    key: Key
    why: str
    log: str

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        """Return what notebooks show."""
        text = "\n".join([*Failures([self]).lines(), visible_lines(self.log)])
        return {"text/plain": text, "text/html": f"<pre>{escape(text)}</pre>"}


class Failures(tuple[Failure, ...], InNotebooks):
    """How tasks failed."""

    __slots__ = ()

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        """Return what notebooks show."""
        return {"text/plain": "\n".join(self.lines()) or NONE_FAILED, "text/html": self.html() or NONE_FAILED}

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # IPython prints tuples its own way
        printer.text("\n".join(self.lines()) or NONE_FAILED)

    def lines(self) -> Iterator[str]:
        """Yield the first ones as text."""
        yield from (f"{cut(one.unit, MOST_CELL)} failed: {cut(one.why, MOST_CELL)}" for one in self[:SHOWN])
        yield from more(len(self), "failed ones")

    def html(self) -> str:
        """Return the first ones, each with the end of what it wrote, which is folded."""
        return "".join(
            [*map(details_of, self[:SHOWN]), *map("<p>{}</p>".format, more(len(self), "failed ones"))]
        )


class Results(Sequence[ResultRow], InNotebooks):
    """The done tasks of a stage in their order; `results["0815"]` is what that unit's returned.

    Example: `results.to_frame()`, or `[failure.unit for failure in results.failed]`.
    """

    def __init__(
        self, rows: Sequence[ResultRow], failed: Sequence[Failure] = (), columns: Sequence[str] = ()
    ) -> None:
        self.rows, self.failed, self.levels = tuple(rows), Failures(failed), tuple(columns)

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
        """Yield the first rows and failures as text."""
        if not self.rows:
            yield NONE_DONE
        yield from (
            f"{cut(row.unit, MOST_CELL)}: {cut(repr(row.value), MOST_CELL)}" for row in self.rows[:SHOWN]
        )
        yield from more(len(self.rows), "results")
        yield from self.failed.lines()

    def html(self) -> str:
        """Return the first failures, and the first rows as a table."""
        shown = Results(self.rows[:SHOWN]).table()
        names = [*dict.fromkeys(name for row in shown for name in row)][:SHOWN]
        lines = [[cell(row.get(name, "")) for name in names] for row in shown]
        table = html_table(names, lines) if shown else f"<p>{NONE_DONE}</p>"
        return "".join([self.failed.html(), table, *map("<p>{}</p>".format, more(len(self.rows), "results"))])


def more(number: int, what: str) -> Iterator[str]:
    """Say how many are not shown, if some are not."""
    if number > SHOWN:
        yield f"… and {number - SHOWN:,} more {what}"


def details_of(failure: Failure) -> str:
    """Return how a task failed, as a page shows it: the end of what it wrote is folded."""
    said = escape(f"{cut(failure.unit, MOST_CELL)} failed: {cut(failure.why, MOST_CELL)}")
    log = escape(visible_lines(failure.log[-MOST_FOLDED:]))
    return f"<details><summary>{said}</summary><pre>{log}</pre></details>"


def read_results(record: Record, stage: str, explain: Callable[[str], str] = str) -> Results:
    """Return what the tasks of a stage returned until now, and how others failed; `explain` is applied to their logs."""
    failed = [
        Failure(task.unit, task.key, task.why or "", explain(log_of(record, stage, task.unit)))
        for task in record.tasks(stage, state="failed")
    ]
    for task in halting(record, stage):
        log = log_of(record, stage, task.unit)
        failed.append(Failure(task.unit, task.key, log.strip().rpartition("\n")[2], explain(log)))
    rows = list(record.results(stage))
    return Results(rows, failed, [*rows[0].key] if rows else [])


def halting(record: Record, stage: str) -> Iterator[TaskRow]:
    """Yield the tasks whose failures paused their stage; they are to be tried again, so they do not count as failed."""
    if any(each.paused for each in record.status().stages if each.name == stage):
        tried = {attempt.unit for attempt in record.attempts(stage) if attempt.outcome != "ok"}
        yield from (task for task in record.tasks(stage, state="ready") if task.unit in tried)


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
    """Return a value as it stands in a table."""
    return f"{value:.6g}" if isinstance(value, float) else cut(str(value), MOST_CELL)

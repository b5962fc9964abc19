"""What a campaign's record says, and what may be asked of it: for workflows, notebooks and exports.

```python
import penstock.record

with penstock.record.open("winter") as record:
    for task in record.tasks("levels", state="failed"):
        print(task.unit, task.why)
    record.ask("retry", stage="levels")
```
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from penstock.display import InNotebooks
from penstock.record.rows import AttemptRow, Event, ProductRow, ResultRow, TaskRow, UnitRow

if TYPE_CHECKING:
    from penstock.ledger import Ledger
    from penstock.provenance.origin import Origin
    from penstock.status import Status

__all__ = ["AttemptRow", "Event", "ProductRow", "Record", "ResultRow", "TaskRow", "UnitRow", "look", "open"]


def open(root: Path | str) -> Record:
    """Open the record of the campaign in the folder `root`, for reading; a conductor may be at work on it.

    Raises NothingYet if it was never run, and LedgerError if it cannot be read.
    """
    from penstock.ledger import Ledger

    return Record(Ledger.open(Path(root).absolute(), readonly=True))


def look(root: Path | str) -> Record:
    """Open the record of a campaign after a look at its sources; one that was never run begins with it.

    Nothing is given out, and more may come: it is as the first half of a `penstock tick`. Where a conductor is at work,
    that one looks. Raises DefinitionError, and LedgerError if it cannot be read.
    """
    from penstock import config
    from penstock.conductor import Conductor
    from penstock.errors import Held

    with suppress(Held), Conductor(config.load(Path(root).absolute()), command="look") as conductor:
        conductor.look()
    return open(root)


@dataclass(frozen=True, slots=True)
class Record(InNotebooks):
    """An open record: each question reads what is there at that moment, and nothing is written.

    `ask` alone changes something, on the same way as the command line does.
    """

    ledger: Ledger

    @property
    def root(self) -> Path:
        """The campaign's folder."""
        return self.ledger.root

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        """Return what notebooks show: where the campaign stands."""
        return self.status()._repr_mimebundle_()  # pyright: ignore[reportPrivateUsage]

    @property
    def note(self) -> str | None:
        """What to tell people of a record that is on another host: this is its copy, as of some time."""
        return self.ledger.note

    def tasks(
        self,
        stage: str | None = None,
        unit: str | None = None,
        *,
        state: str | None = None,
        where: str | None = None,
        stale: bool | None = None,
    ) -> Iterator[TaskRow]:
        """Yield the tasks of a stage, or of all in their order.

        `unit` names a unit, a group (then all in it) or a pattern with `*`; `where` is an expression over fields, as
        in a stage's `where`; `stale` tells those that are from those that are not.

        Example: `[task.unit for task in record.tasks("fit", where="snr < 3", state="done")]`.

        Raises DefinitionError if there is no such stage or unit, or for a wrong expression.
        """
        from penstock.record.reading import Wanted, read_tasks

        return read_tasks(self.ledger, Wanted(stage, unit, state, where, stale))

    def units(self, level: str, stage: str | None = None) -> Iterator[UnitRow]:
        """Yield the units of a level, those too that are gone or have no task; with the state of a stage's task.

        Example: `[unit.unit for unit in record.units("run", "fit") if unit.gone and unit.state == "done"]`.

        Raises DefinitionError if there is no such level or stage.
        """
        from penstock.record.reading import read_units

        return read_units(self.ledger, level, stage)

    def results(self, stage: str, unit: str | None = None) -> Iterator[ResultRow]:
        """Yield what the done tasks of a stage returned and used, as of the attempt that made them.

        Example: `{row.unit: row.value for row in record.results("fit")}`.
        """
        from penstock.record.reading import Wanted, read_results

        return read_results(self.ledger, Wanted(stage, unit))

    def attempts(self, stage: str | None = None, unit: str | None = None) -> Iterator[AttemptRow]:
        """Yield every try of tasks, those that failed and those that came late, too; the oldest of each stage first.

        Example: `[row.unit for row in record.attempts("fit") if row.outcome == "timeout"]`.
        """
        from penstock.record.reading import Wanted, read_attempts

        return read_attempts(self.ledger, Wanted(stage, unit))

    def products(self, stage: str | None = None, unit: str | None = None) -> Iterator[ProductRow]:
        """Yield the products that were made, with the sizes and digests that they had then."""
        from penstock.record.reading import Wanted, read_products

        return read_products(self.ledger, Wanted(stage, unit))

    def log(self, stage: str, unit: str) -> bytes:
        """Return what the task of a stage wrote in its last attempt.

        Raises DefinitionError if there is no such stage or unit, and LedgerError if it was not tried, or the log is gone.
        """
        from penstock.explain import find_stage, find_units, read_log

        [found] = find_units(self.ledger, unit, stage)
        return read_log(self.ledger, found, find_stage(self.ledger.db, stage)).raw

    def provenance(self, file: Path | str) -> Origin:
        """Return which attempt made a file, by which definition and from what, as `penstock provenance of` tells it.

        Example: `print(record.provenance("pictures/a.png").to_text())`.

        Raises DefinitionError if the record knows no such file.
        """
        from penstock.provenance.origin import find_origin

        return find_origin(self.ledger, str(file))

    def status(self, *, problems: int = 10) -> Status:
        """Return where the campaign stands, as `penstock status` shows it."""
        from penstock.status import Status

        return Status.read(self.ledger, problems=problems)

    def history(self, unit: str) -> list[Event]:
        """Return what happened to a unit, a group or those of a pattern, oldest first, by whom and why."""
        from penstock.record.history import read_history

        return read_history(self.ledger, unit)

    def ask(
        self,
        action: str,
        unit: str | Sequence[str] | None = None,
        *,
        stage: str | None = None,
        where: str | None = None,
        why: str | None = None,
        until: datetime | None = None,
        left_out: bool = False,
    ) -> list[str]:
        """Ask for what the command of that name does, and return the answers.

        That is `retry`, `cancel`, `redo`, `veto`, `unveto`, `mark`, `unmark`, `archive` or `unarchive`.

        It is done at once when nobody works on the campaign, else by the conductor in its next turn. Only `redo` takes
        a `where`; `veto`, `mark` and `archive` need a `unit` and a `why`; a `veto` with `until` ends then by itself; `mark`
        with `left_out` also marks units that the `where` of a stage leaves out. Without
        `unit` and `stage` the whole campaign is meant.

        Example: `record.ask("veto", "2020-01-17/01807", why="clouds")`.

        Raises DefinitionError if there is no such action, unit or stage.
        """
        from penstock.record.asking import Question, ask

        units = () if unit is None else (unit,) if isinstance(unit, str) else unit
        ends = until.timestamp() if until else None
        return ask(self.ledger, Question(action, units, stage, where, why, until=ends, left_out=left_out))

    def close(self) -> None:
        """Close it; a `with` does."""
        self.ledger.close()

    def __enter__(self) -> Record:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

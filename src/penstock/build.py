"""The Python API for definitions: the same keys as `penstock.toml`, checked by the same code.

```python
import penstock

campaign = penstock.Campaign("winter", levels=["file"], units=penstock.files("audio/{file}.wav", settle="60s"))


@campaign.stage(each="file", products="levels/{file}.json", batch=200)
def levels(task: penstock.Task) -> None:
    task.product().write_text("{}")


campaign.stage("copy", each="file", command=["cp", "{path}", "{product}"], products="copies/{file}.wav")
```
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from penstock.config.draft import Draft
from penstock.display import InNotebooks
from penstock.errors import DefinitionError
from penstock.functions import reference_of

if TYPE_CHECKING:
    from penstock.campaign import Campaign as Frozen
    from penstock.conductor import Ending
    from penstock.notebook.cells import Cell
    from penstock.record.results import Results
    from penstock.status import Status

Function = TypeVar("Function", bound=Callable[..., Any])
Tables = Mapping[str, Any]


def files(pattern: str, **keys: Any) -> dict[str, Any]:
    """Take units from files: `files("audio/{file}.wav", settle="60s")`, with the keys of `[units]`.

    A level's own source is one more key: `files("{run}/{sub}.h5", run=table("runs.csv"))`.
    """
    return {"files": pattern, **keys}


def table(path: Any, **keys: Any) -> dict[str, Any]:
    """Take units from the rows of a CSV file, or of a table of pandas: `table("runs.csv", types={"run": "int"})`."""
    return {"table": path, **keys}


def function(generator: Callable[..., Any] | str, **keys: Any) -> dict[str, Any]:
    """Take units from a generator of dicts: `function(find_runs)`."""
    return {"python": _reference_if_callable(generator), **keys}


class Campaign(Draft, InNotebooks):
    """A definition under construction; `freeze` checks it, `run` runs it, `status` reports on it.

    `units` is what `files`, `table` or `function` give, or a table of pandas; `params` are shared by all stages; `sites` are the
    tables `[site.NAME]`, `notify` the tables `[notify.NAME]`, `close` the tables `[close.LEVEL]`, `publish` the tables
    `[publish.NAME]`, `move` the tables `[move.NAME]`, `provenance` is the table of that name; `root` is the campaign's
    folder, that of the calling file by default.
    """

    def __init__(
        self,
        name: str,
        *,
        levels: Sequence[str],
        units: Any = None,
        params: Tables | None = None,
        sites: Mapping[str, Tables] | None = None,
        notify: Mapping[str, Tables] | None = None,
        close: Mapping[str, Tables] | None = None,
        publish: Mapping[str, Tables] | None = None,
        move: Mapping[str, Tables] | None = None,
        provenance: Tables | None = None,
        heartbeat: str | None = None,
        root: Path | str | None = None,
    ) -> None:
        file, line, around = _caller()
        tables: dict[str, Any] = {
            "campaign": {
                "name": name,
                "levels": list(levels),
                **({"heartbeat": heartbeat} if heartbeat else {}),
            },
            "units": table(units) if hasattr(units, "to_csv") else dict(units or {}),
            "params": dict(params or {}),
            "site": {site: dict(keys) for site, keys in (sites or {}).items()},
            "notify": {channel: dict(keys) for channel, keys in (notify or {}).items()},
            "close": {level: dict(keys) for level, keys in (close or {}).items()},
            "publish": {name: dict(keys) for name, keys in (publish or {}).items()},
            "move": {name: dict(keys) for name, keys in (move or {}).items()},
            "provenance": dict(provenance or {}),
            "stage": {},
        }
        folder = Path(root).expanduser() if root is not None else around
        lines = {(key,): line for key in tables}
        super().__init__(tables, folder.absolute(), file, lines)
        self._cells: dict[str, Cell] = {}  # stage → the run of a cell that added it

    def stage(self, name: str | None = None, **keys: Any) -> Callable[[Function], Function]:
        """Add a stage, with the keys of `[stage.NAME]`; `follows` stands for `with`.

        Over a function it makes a Python stage, named as the function is unless `name` is given:
        `@campaign.stage(each="file", products="x/{file}.npz")`. With `command` or `python` the call is all.
        """
        _, line, _ = _caller()
        if "command" in keys or "python" in keys:
            self._add(name, keys, line)
            return _already_added

        def add(stage_function: Function) -> Function:
            chosen = name or getattr(stage_function, "__name__", None)
            self._add(chosen, {**keys, "python": stage_function}, line)
            return stage_function

        return add

    def remove(self, stage: str) -> None:
        """Remove a stage: one that has another name now, or is not wanted any more. KeyError if there is none.

        A notebook does that by itself for a cell that runs again, where its front end tells which cell that is
        (JupyterLab and VS Code do).
        """
        del self.tables["stage"][stage]
        self._cells.pop(stage, None)

    def freeze(self, overrides: Sequence[str] = ()) -> Frozen:
        """Check the definition and return the frozen `penstock.campaign.Campaign`."""
        from penstock.config.assemble import assemble

        if self.in_notebook:
            from penstock.notebook.definition import leave

            return leave(self, overrides)
        return assemble(Draft(self.tables, self.root, self.file, self.lines, tuple(overrides)))

    @property
    def in_notebook(self) -> bool:
        """Whether it is defined in cells: in no file, or with functions that are in none."""
        return self.file is None or any(map(callable, leaves_of(self.tables)))

    def run(self, *units: str, stage: str | None = None, stale: bool = False) -> Ending:
        """Work until nothing can change, as `penstock run [UNIT…] [--stage STAGE] [--stale]` does; return the outcome.

        In a notebook the work is done in the background and shown here: an interrupt only ends the showing, and the
        same cell shows it again.

        Example: `campaign.run("2020-01-17", stage="calibrate").code`.

        Raises DefinitionError for a wrong definition, Held if another conductor works on the campaign.
        """
        if self.in_notebook:
            from penstock.notebook.running import run

            return run(self.freeze(), units, stage=stage, stale=stale)
        from penstock.conductor import Conductor
        from penstock.explain.part import part_of

        frozen = self.freeze()
        with Conductor(frozen, command="run") as conductor:
            return conductor.run(stale=stale, only=part_of(frozen, units, stage))

    def status(self) -> Status:
        """Return the campaign's status, as `penstock status` shows it; before the first run, what that would do."""
        from penstock import record
        from penstock.errors import NothingYet

        try:
            with record.open(self.root) as opened:
                return opened.status()
        except NothingYet:
            from penstock.conductor.foreseen import foresee

            return foresee(self.freeze())

    def results(self, stage: str) -> Results:
        """Return what the tasks of a stage returned until now: `campaign.results("fit").to_frame()`, `….failed`.

        Raises NothingYet if it was never run.
        """
        from penstock import record
        from penstock.errors import NothingYet
        from penstock.notebook.tracebacks import with_cells
        from penstock.record.results import read_results

        try:
            with record.open(self.root) as opened:
                return read_results(opened, stage, with_cells)
        except NothingYet:
            raise NothingYet(
                f"nothing has been run in {self.root} yet: start with `campaign.run()`"
            ) from None

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        """Return what notebooks show: the stages."""
        from penstock.notebook.showing import describe

        return describe(self)

    def _add(self, name: str | None, keys: Tables, line: int) -> None:
        stages: dict[str, Any] = self.tables["stage"]
        if not name:
            raise DefinitionError(
                "a stage with a command needs a name; give it first", file=self.file, line=line
            )
        if name in stages and self.file:  # the cell of a notebook may run again
            message = f"there are two stages called {name!r}; rename one"
            raise DefinitionError(message, file=self.file, line=line)
        if self.file is None:
            self._note_cell(name)
        stages[name] = {key: _reference_if_callable(value) for key, value in keys.items()}
        self.lines["stage", name] = line

    def _note_cell(self, name: str) -> None:
        """Forget the stages that the cell which runs now had when it ran before: they were renamed, or are made again."""
        from penstock.notebook.cells import running_cell

        cell = running_cell()
        for other, (id, run) in [*self._cells.items()]:
            if cell and id == cell.id and run != cell.run:
                self.remove(other)
        if cell:
            self._cells[name] = cell


def _reference_if_callable(value: Any) -> Any:
    """Name a function by its reference; one that was typed in a cell stays, for what it uses may be typed later."""
    from penstock.notebook.cells import is_typed

    return reference_of(value) if callable(value) and not is_typed(value) else value


def leaves_of(tables: Any) -> Iterator[Any]:
    """Yield the values in tables."""
    if isinstance(tables, Mapping):
        for value in cast("Mapping[str, Any]", tables).values():
            yield from leaves_of(value)
    else:
        yield tables


def _already_added(target: Function) -> Function:
    raise DefinitionError(f"{target!r} is decorated with a stage that has a `command`; leave one of them out")


def _caller() -> tuple[Path | None, int, Path]:
    """Return file, line and folder of the definition that called this module; a cell is in no file."""
    from penstock.notebook.cells import is_cell

    frame = inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__") == __name__:
        frame = frame.f_back
    name = frame.f_globals.get("__file__") if frame else None
    if frame is None or name is None:
        return None, frame.f_lineno if frame else 0, Path.cwd()
    file = Path(name).absolute()  # marimo has one around its cells
    return None if is_cell(frame.f_code.co_filename) else file, frame.f_lineno, file.parent

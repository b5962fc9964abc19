"""A sweep as people write it (`sweep.toml`): which variables of a program vary, how, and what they are set to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from penstock.errors import DefinitionError
from penstock.units import Expression, unknown_name
from penstock.workflows.sweep.keys import Table, listed, read_table
from penstock.workflows.sweep.program import Program, find_program
from penstock.workflows.sweep.programfile import read_program
from penstock.workflows.sweep.value import Value
from penstock.workflows.sweep.variable import Variable

FILE = "sweep.toml"
HINT = 'a list, a range or "all" for any of the program\'s variables'
"""The comment in a sweep that was begun for a person to edit."""

DRAWN = ("random", "latin", "sobol")
MODES = ("grid", "zip", "nested", "table", *DRAWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """A sweep. `vary` has what was typed for each variable, in order; `repeats` what was typed for the seeds.

    `more` names the function that chooses further rows of its table.
    """

    file: Path
    program: Program
    mode: str
    vary: Mapping[str, object]
    fixed: Mapping[str, Value]
    derive: Mapping[str, Expression]
    where: tuple[Expression, ...]
    together: tuple[tuple[str, ...], ...]
    repeats: object
    draws: int
    seed: int
    table: Path | None
    more: str | None
    places: Table

    def variable(self, name: str) -> Variable:
        """Return a variable of the program, which has it."""
        return self.program.variables[name]

    def error(self, table: str, key: str, message: str) -> DefinitionError:
        """Make the error about a key of a table of the file."""
        return self.places.places.error((table, key), message)


def read_sweep(file: Path) -> Sweep:
    """Read `sweep.toml` and the program that it names. Raises DefinitionError, with file and line."""
    top = read_table(file)
    head = top.table("sweep")
    try:
        program = read_program(find_program(head.need("program", str), file.parent))
    except DefinitionError as error:
        raise error if error.file else head.error("program", error.message) from None
    mode = head.take("mode", str) or "grid"
    if mode not in MODES:
        raise head.error("mode", f"the mode {mode!r} is unknown; use one of {', '.join(MODES)}")
    table = head.take("table", str)
    sweep = Sweep(
        file=file,
        program=program,
        mode=mode,
        vary=dict(top.table("vary").items()),
        fixed=_fixed(top.table("set"), program),
        derive=_derived(top.table("derive")),
        where=tuple(_expression(text, head, "where") for text in head.texts("where")),
        together=_together(head),
        repeats=_repeats(head),
        draws=head.take("draws", int) or 0,
        seed=head.take("seed", int) or 0,
        table=None if table is None else file.parent / table,
        more=head.take("more", str),
        places=top,
    )
    head.end()
    top.end()
    _check(sweep)
    return sweep


def _fixed(table: Table, program: Program) -> dict[str, Value]:
    fixed = dict[str, Value]()
    for name, given in table.items():
        try:
            fixed[name] = _known(name, program, "[set]").read(given)
        except ValueError as error:
            raise table.error(name, f"{name}: {error}") from None
    return fixed


def _known(name: str, program: Program, place: str) -> Variable:
    if name not in program.variables:
        raise ValueError(unknown_name(name, list(program.variables), place))
    return program.variables[name]


def _derived(table: Table) -> dict[str, Expression]:
    return {name: _expression(text, table, name) for name, text in table.items()}


def _expression(text: object, table: Table, key: str) -> Expression:
    if not isinstance(text, str):
        raise table.error(key, f"{key} is an expression as text, not {text!r}")
    try:
        return Expression.parse(text)
    except DefinitionError as error:
        raise table.error(key, error.message) from None


def _together(head: Table) -> tuple[tuple[str, ...], ...]:
    given = head.take_any("together")
    groups = [tuple(map(str, listed(each))) for each in ([] if given is None else listed(given))]
    if not all(len(group) > 1 for group in groups):
        raise head.error("together", 'together is a list of lists of names, such as [["T", "p"]]')
    return tuple(groups)


def _repeats(head: Table) -> object:
    repeat, seeds = head.take("repeat", int), head.take_any("seeds")
    if repeat is not None and (seeds is not None or repeat < 1):
        raise head.error("repeat", "give either repeat, a number from 1, or seeds")
    return seeds if repeat is None else f"1..{repeat}"


def _check(sweep: Sweep) -> None:
    """Refuse what does not go together, before any value is read."""
    program = sweep.program
    _check_names(sweep)
    if sweep.repeats is not None and program.seed is None:
        raise sweep.error(
            "sweep", "repeat", f"{program.name} names no seed to repeat with; add seed = … to {program.file}"
        )
    if sweep.repeats is not None and program.seed in sweep.vary:
        raise sweep.error("sweep", "repeat", f"{program.seed} is in [vary], too; remove one")
    if (sweep.mode == "table") != (sweep.table is not None):
        raise sweep.error("sweep", "mode", 'mode = "table" and table = "FILE.csv" go together')
    if sweep.more is not None and (sweep.table is None or ":" not in sweep.more):
        raise sweep.error("sweep", "more", 'more = "MODULE:FUNCTION" chooses rows of a table; name that, too')
    if sweep.mode in DRAWN and sweep.draws < 1:
        raise sweep.error("sweep", "mode", f"mode = {sweep.mode!r} needs draws = N")
    if sweep.mode not in DRAWN and sweep.draws:
        raise sweep.error("sweep", "draws", f"draws are for the modes {', '.join(DRAWN)}")


def _check_names(sweep: Sweep) -> None:
    known, used = list(sweep.program.variables), sweep.program.used
    needed = {name for expression in (*sweep.derive.values(), *sweep.where) for name in expression.names}
    for table, names in (("vary", sweep.vary), ("derive", sweep.derive)):
        for name in names:
            if name not in known:
                raise sweep.error(table, name, unknown_name(name, known, f"[{table}]"))
            if name in sweep.fixed or (table == "derive" and name in sweep.vary):
                raise sweep.error(table, name, f"{name} is set twice; keep one")
            if name not in used and name not in needed:
                raise sweep.error(
                    table, name, f"no input or argument of {sweep.program.name} has {name}; add its place"
                )
    for expression in sweep.where:
        _check_known(expression, sweep, "sweep", "where")
    later = list(sweep.derive)
    for name, expression in sweep.derive.items():
        _check_known(expression, sweep, "derive", name)
        if early := [other for other in expression.names if other in later]:
            raise sweep.error(
                "derive", name, f"{name} needs {early[0]}, which is derived later; put it first"
            )
        later.remove(name)


def _check_known(expression: Expression, sweep: Sweep, table: str, key: str) -> None:
    for name in expression.names:
        if name not in sweep.program.variables:
            message = unknown_name(name, list(sweep.program.variables), f"the expression {expression.text!r}")
            raise sweep.error(table, key, message)

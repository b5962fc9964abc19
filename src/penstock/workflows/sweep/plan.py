"""What a sweep will run, before anything is written: its points, each a full row of exact values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from penstock.errors import DefinitionError
from penstock.units import Expression
from penstock.workflows.sweep.axis import text_of
from penstock.workflows.sweep.design import Design, Row, design
from penstock.workflows.sweep.program import Program
from penstock.workflows.sweep.sweep import Sweep
from penstock.workflows.sweep.value import Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The points of a sweep: `rows` has a value for each of `names`, and `constants` those of all other variables.

    `left_out` counts the rows for which a condition does not hold.
    """

    program: Program
    names: tuple[str, ...]
    rows: Sequence[Row]
    constants: Mapping[str, Value]
    left_out: int = 0

    def values(self, row: Row) -> dict[str, Value]:
        """Return the value of every variable at a point."""
        return {**self.constants, **dict(zip(self.names, row, strict=True))}


def plan_sweep(sweep: Sweep) -> Plan:
    """Work the points of a sweep out and check them. Raises DefinitionError, with file and line.

    >>> plan_sweep(read_sweep(Path("sweep.toml"))).rows[0]  # doctest: +SKIP
    (Value(text='0.1', plain=0.1, identity='1e-1'),)
    """
    made = design(sweep)
    constants = {**sweep.program.defaults(), **sweep.fixed}
    for name in (*made.names, *sweep.derive):
        constants.pop(name, None)
    _check_complete(sweep, {*constants, *made.names, *sweep.derive})
    names = (*made.names, *sweep.derive)
    rows = _conditioned(sweep, made, constants)
    _refuse_duplicates(sweep, names, rows)
    _check_places(sweep, names, rows)
    if not rows:
        raise sweep.error(
            "sweep", "where", f"none of the {len(made.rows):,} points is left; loosen the conditions"
        )
    left_out = len(made.rows) - len(rows)
    return Plan(program=sweep.program, names=names, rows=rows, constants=constants, left_out=left_out)


def _check_complete(sweep: Sweep, given: set[str]) -> None:
    needed = sweep.program.used | {
        name for each in (*sweep.where, *sweep.derive.values()) for name in each.names
    }
    for name in sweep.program.variables:
        if name in needed and name not in given:
            raise sweep.error("vary", name, f"{name} has no value; give it in [set] or [vary], or a default")


def _conditioned(sweep: Sweep, made: Design, constants: Mapping[str, Value]) -> Sequence[Row]:
    """Add what is derived to each row, and leave out those for which a condition does not hold."""
    if not sweep.derive and not sweep.where:
        return made.rows
    plain = {name: value.plain for name, value in constants.items()}
    derivers = [_Deriver(sweep, name, expression) for name, expression in sweep.derive.items()]
    rows = list[Row]()
    for row in made.rows:
        known: dict[str, Any] = plain.copy()
        for name, value in zip(made.names, row, strict=True):
            known[name] = value.plain
        for deriver in derivers:
            value = deriver.derive(known)
            known[deriver.name] = value.plain
            row = (*row, value)
        if all(_holds(sweep, condition, known) for condition in sweep.where):
            rows.append(row)
    return rows


def _holds(sweep: Sweep, condition: Expression, known: Mapping[str, Any]) -> bool:
    try:
        return bool(condition.evaluate(known))
    except DefinitionError as error:
        raise sweep.error("sweep", "where", error.message) from None


class _Deriver:
    """Works out a derived variable; what gives the same text is read once."""

    def __init__(self, sweep: Sweep, name: str, expression: Expression) -> None:
        self.sweep, self.name, self.expression = sweep, name, expression
        self.variable = sweep.variable(name)
        self.read: dict[str, Value] = {}

    def derive(self, known: Mapping[str, Any]) -> Value:
        try:
            text = text_of(self.expression.evaluate(known))
            if text not in self.read:
                self.read[text] = self.variable.read(text)
        except DefinitionError as error:
            raise self.sweep.error("derive", self.name, error.message) from None
        except ValueError as error:
            raise self.sweep.error("derive", self.name, f"{self.name}: {error}") from None
        return self.read[text]


def _refuse_duplicates(sweep: Sweep, names: Sequence[str], rows: Sequence[Row]) -> None:
    identities = [tuple([value.identity for value in row]) for row in rows]
    if len(set(identities)) == len(identities):
        return
    first = dict[tuple[str, ...], int]()
    for number, identity in enumerate(identities):
        earlier = first.setdefault(identity, number)
        if earlier != number:
            point = show_row(names, rows[number])
            message = f"points {earlier + 1} and {number + 1} are the same ({point}); remove one"
            raise sweep.error("vary" if sweep.vary else "sweep", names[0] if sweep.vary else "table", message)


def _check_places(sweep: Sweep, names: Sequence[str], rows: Sequence[Row]) -> None:
    """Try every value at every place where it will stand."""
    values: dict[str, list[Value]] = {}
    for column, name in enumerate(names):
        values[name] = list({value.identity: value for value in [row[column] for row in rows]}.values())
    for name, value in {**sweep.program.defaults(), **sweep.fixed}.items():
        values.setdefault(name, [value])
    for template in sweep.program.inputs:
        template.check(values)


def show_row(names: Sequence[str], row: Row) -> str:
    """Write a row for people: `T = 0.1, p = 5`."""
    return ", ".join(f"{name} = {value.text}" for name, value in zip(names, row, strict=True))


def first_and_last(plan: Plan) -> Sequence[Row]:
    """Return the points that a person is shown: all if they are few."""
    return plan.rows if len(plan.rows) <= 6 else (*plan.rows[:3], *plan.rows[-3:])


def describe_plan(plan: Plan) -> Iterator[str]:
    """Yield what a person should see before anything is written: how many, the first and last, what they take."""
    count = len(plan.rows)
    left_out = f", {plan.left_out:,} more do not meet the conditions" if plan.left_out else ""
    yield f"{count:,} point{'s' * (count != 1)} of {plan.program.name}{left_out}"
    for number, row in enumerate(first_and_last(plan)):
        if count > 6 and number == 3:
            yield "  …"
        yield f"  {show_row(plan.names, row)}"
    if plan.program.core_hours is not None:
        yield f"about {count * plan.program.core_hours:,.4g} core-hours, at {plan.program.core_hours:g} each"


def plan_to_json(plan: Plan) -> dict[str, Any]:
    """Return a plan as plain data: how many points, and the first and last of them."""
    count, hours = len(plan.rows), plan.program.core_hours
    return {
        "program": plan.program.name,
        "points": count,
        "left_out": plan.left_out,
        "core_hours": None if hours is None else count * hours,
        "shown": [
            {name: v.text for name, v in zip(plan.names, row, strict=True)} for row in first_and_last(plan)
        ],
    }

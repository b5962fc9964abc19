"""The rows of a sweep: how its axes are combined, or its values drawn."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from itertools import product
from math import exp, floor, log
from random import Random
from typing import Any, NamedTuple, cast

from penstock.errors import DefinitionError
from penstock.units import Expression
from penstock.workflows.sweep.axis import Axis, Extent, computed_end, list_values, read_extent
from penstock.workflows.sweep.sweep import Sweep
from penstock.workflows.sweep.value import Value, number

MOST = 5_000_000

Row = tuple[Value, ...]


class Design(NamedTuple):
    """The names of what varies and its rows, a value a name."""

    names: tuple[str, ...]
    rows: Sequence[Row]


def design(sweep: Sweep) -> Design:
    """Combine the axes of a sweep as its mode says. Raises DefinitionError, with the key's line."""
    made = MAKERS[sweep.mode](sweep)
    if sweep.repeats is None:
        return made
    seeds = _axis(sweep, str(sweep.program.seed), sweep.repeats, table="sweep", key="repeat")
    _check_size(sweep, len(made.rows) * len(seeds.values))
    return Design(
        (*made.names, seeds.variable.name), [(*row, seed) for row in made.rows for seed in seeds.values]
    )


def _axis(sweep: Sweep, name: str, given: object, *, table: str = "vary", key: str = "") -> Axis:
    try:
        return list_values(sweep.variable(name), given)
    except ValueError as error:
        raise sweep.error(table, key or name, f"{name}: {error}") from None


def _check_size(sweep: Sweep, size: int) -> None:
    if size > MOST:
        raise sweep.error("sweep", "mode", f"the sweep has {size:,} points; penstock takes {MOST:,} at most")


def _grid(sweep: Sweep) -> Design:
    axes = {name: _axis(sweep, name, given) for name, given in sweep.vary.items()}
    size, parts, names = 1, list[list[Row]](), list[str]()
    for group in _groups(sweep):
        rows = _zipped(sweep, [axes[name] for name in group])
        size *= len(rows)
        parts.append(rows)
        names += group
    _check_size(sweep, size)
    if all(len(group) == 1 for group in _groups(sweep)):
        return Design(tuple(names), list(product(*(axes[name].values for name in names))))
    return Design(tuple(names), [tuple(value for row in rows for value in row) for rows in product(*parts)])


def _groups(sweep: Sweep) -> list[tuple[str, ...]]:
    """Return the names that vary together, each group where its first stands."""
    grouped = [name for group in sweep.together for name in group]
    if len(set(grouped)) < len(grouped) or not set(grouped) <= sweep.vary.keys():
        raise sweep.error("sweep", "together", "together names variables of [vary], each once")
    first = {group[0]: group for group in sweep.together}
    return [first.get(name, (name,)) for name in sweep.vary if name in first or name not in grouped]


def _zip(sweep: Sweep) -> Design:
    axes = [_axis(sweep, name, given) for name, given in sweep.vary.items()]
    return Design(tuple(sweep.vary), _zipped(sweep, axes))


def _zipped(sweep: Sweep, axes: Sequence[Axis]) -> list[Row]:
    lengths = {axis.variable.name: len(axis.values) for axis in axes}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} has {count}" for name, count in lengths.items())
        raise sweep.error(
            "vary", axes[0].variable.name, f"what varies together has as many values each; {told}"
        )
    return list(zip(*(axis.values for axis in axes), strict=True))


def _nested(sweep: Sweep) -> Design:
    """Vary each variable within those before it, which the ends of its range may name."""
    if sweep.together:
        raise sweep.error("sweep", "together", "together is for the mode 'grid'")
    names, rows = list[str](), list[Row]([()])
    for name, given in sweep.vary.items():
        rows = _within(sweep, names, rows, (name, given))
        _check_size(sweep, len(rows))
        names.append(name)
    return Design(tuple(names), rows)


def _within(sweep: Sweep, names: Sequence[str], rows: Sequence[Row], inner: tuple[str, object]) -> list[Row]:
    name, given = inner
    known = dict[tuple[str, ...], tuple[Value, ...]]()
    found = list[Row]()
    asked = list[str]()
    for row in rows:
        outer = dict(zip(names, row, strict=True))
        key = tuple(outer[each].identity for each in asked)
        if not known or key not in known:
            try:
                axis = list_values(
                    sweep.variable(name), given, lambda text, o=outer: _work_out(sweep, text, o, asked)
                )
            except ValueError as error:
                raise sweep.error("vary", name, f"{name}: {error}") from None
            key = tuple(outer[each].identity for each in asked)
            known[key] = axis.values
        found += [(*row, value) for value in known[key]]
    return found


def _work_out(sweep: Sweep, text: str, outer: Mapping[str, Value], asked: list[str]) -> str:
    """Work an end of a range out over the variables before, and remember of which it depends."""
    try:
        expression = Expression.parse(text)
    except DefinitionError as error:
        raise ValueError(error.message) from None
    asked += [name for name in expression.names if name in outer and name not in asked]
    constant = {**sweep.program.defaults(), **sweep.fixed}
    allowed = {
        name: constant[name] for name in expression.names if name in constant and name not in sweep.vary
    }
    return computed_end(expression, {name: value.plain for name, value in {**allowed, **outer}.items()})


def _table(sweep: Sweep) -> Design:
    if sweep.vary:
        raise sweep.error("vary", next(iter(sweep.vary)), "what varies stands in the table; remove [vary]")
    return read_rows(sweep)


def read_rows(sweep: Sweep) -> Design:
    """Read the table of a sweep that has one. Raises DefinitionError, with file and line."""
    file = sweep.table
    assert file is not None
    if sweep.more and not file.exists():
        raise sweep.error("sweep", "more", f"{file} does not exist yet; `penstock sweep adapt` begins it")
    try:
        text = file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise sweep.error("sweep", "table", f"the table {file} cannot be read: {error}") from None
    delimiter = "\t" if file.suffix == ".tsv" else max(",;\t", key=text.split("\n", 1)[0].count)
    reader = csv.reader(text.splitlines(keepends=True), delimiter=delimiter)
    names = tuple(name.strip() for name in next(reader, list[str]()))
    _check_columns(sweep, names)
    read = _remembering(sweep, names)
    rows = list[Row]()
    for cells in reader:
        if cells:
            try:
                rows.append(read(cells))
            except ValueError as error:
                raise DefinitionError(str(error), file=file, line=reader.line_num) from None
    return Design(names, rows)


def _check_columns(sweep: Sweep, names: Sequence[str]) -> None:
    known = sweep.program.variables
    wrong = [name for name in names if name not in known]
    if not names or wrong or len(set(names)) < len(names):
        what = (
            f"{wrong[0]!r} is no variable of {sweep.program.name}"
            if wrong
            else "its columns are variables, each once"
        )
        raise DefinitionError(f"{what}; there are {', '.join(known)}", file=sweep.table, line=1)


def _remembering(sweep: Sweep, names: Sequence[str]) -> Any:
    """Return what reads a row of texts; a text that came before is not read again."""
    known: list[dict[str, Value]] = [{} for _ in names]

    def read(cells: Sequence[str]) -> Row:
        if len(cells) != len(names):
            raise ValueError(f"the row has {len(cells)} cells and the header {len(names)}; make them equal")
        for name, cell, values in zip(names, cells, known, strict=True):
            if cell not in values:
                try:
                    values[cell] = sweep.variable(name).read(cell.strip())
                except ValueError as error:
                    raise ValueError(f"{name}: {error}") from None
        return tuple([values[cell] for cell, values in zip(cells, known, strict=True)])

    return read


def _drawn(sweep: Sweep) -> Design:
    """Draw rows: the same seed draws the same ones, and more draws begin with them, except in a Latin hypercube."""
    extents = list[Extent]()
    for name, given in sweep.vary.items():
        try:
            extents.append(read_extent(sweep.variable(name), given))
        except ValueError as error:
            raise sweep.error("vary", name, f"{name}: {error}") from None
    if not extents:
        raise sweep.error("sweep", "draws", "nothing is drawn; say what in [vary]")
    _check_size(sweep, sweep.draws)
    points = SAMPLERS[sweep.mode](len(extents), sweep.draws, sweep.seed)
    return Design(tuple(sweep.vary), [tuple(map(_at, extents, point)) for point in points])


def _at(extent: Extent, share: float) -> Value:
    """Return the value at a share (0 to 1) of an extent."""
    variable, low, high, logarithmic, values = extent
    if low is None or high is None:
        return values[min(floor(share * len(values)), len(values) - 1)]
    first, last = float(number(low.text)), float(number(high.text))
    if variable.type != "float":  # a whole number, both ends as likely as the others
        first, last = first - 0.5 * (not logarithmic), last + 0.5 * (not logarithmic)
    drawn = (
        exp(log(first) + share * (log(last) - log(first))) if logarithmic else first + share * (last - first)
    )
    if variable.type == "float":
        return variable.read(repr(min(max(drawn, first), last)))
    return variable.read(min(max(floor(drawn + 0.5), int(low.plain)), int(high.plain)))


def _random(width: int, count: int, seed: int) -> Iterable[Sequence[float]]:
    generator = Random(seed)
    return ([generator.random() for _ in range(width)] for _ in range(count))


def _latin(width: int, count: int, seed: int) -> Iterable[Sequence[float]]:
    qmc, numpy = import_module("scipy.stats").qmc, import_module("numpy")
    sampler = qmc.LatinHypercube(d=width, rng=numpy.random.default_rng(seed))
    return cast("list[list[float]]", sampler.random(count).tolist())


def _sobol(width: int, count: int, seed: int) -> Iterable[Sequence[float]]:
    """Draw from a scrambled Sobol sequence (Owen 1998), whose balance needs powers of two: the first of so many."""
    qmc, numpy = import_module("scipy.stats").qmc, import_module("numpy")
    sampler = qmc.Sobol(d=width, scramble=True, rng=numpy.random.default_rng(seed))
    return cast("list[list[float]]", sampler.random_base2((count - 1).bit_length()).tolist())[:count]


SAMPLERS = {"random": _random, "latin": _latin, "sobol": _sobol}
MAKERS = {
    "grid": _grid,
    "zip": _zip,
    "nested": _nested,
    "table": _table,
    **dict.fromkeys(SAMPLERS, _drawn),
}

"""Results for other libraries: pandas, xarray, Parquet. Types and units go with them; missing is not NaN.

They need the extra `tables`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from penstock.errors import DefinitionError
from penstock.extras import need
from penstock.workflows.sweep.columns import Column
from penstock.workflows.sweep.points import NAME
from penstock.workflows.sweep.results import Results
from penstock.workflows.sweep.value import Plain

MOST_CELLS = 10_000_000
PRESENT = "_present"
ABSENT = {"float": float("nan"), "int": 0, "bool": False, "str": ""}


def to_pandas(results: Results) -> Any:
    """Return a frame with a row a point, indexed by its name; `attrs["units"]` has the units.

    The types are pandas' own with a mask, such as `Float64`: what is missing is `NA`, and NaN is a number like others.
    """
    pandas = need("pandas", "tables")
    series = {each.name: _masked(pandas, each, results.values(each.name)) for each in results.columns}
    frame = pandas.DataFrame(series).set_index(NAME)
    frame.attrs["units"] = {each.name: each.unit for each in results.columns if each.unit}
    return frame


def _masked(pandas: Any, column: Column, values: Sequence[Plain | None]) -> Any:
    numpy = need("numpy", "tables")
    if column.type == "str" or not _fits(values):
        return pandas.array([None if value is None else str(value) for value in values], dtype="string")
    mask = numpy.array([value is None for value in values], dtype=bool)
    filled = [ABSENT[column.type] if value is None else value for value in values]
    array, dtype = {
        "float": (pandas.arrays.FloatingArray, "float64"),
        "int": (pandas.arrays.IntegerArray, "int64"),
        "bool": (pandas.arrays.BooleanArray, "bool"),
    }[column.type]
    return array(numpy.array(filled, dtype=dtype), mask)


def _fits(values: Sequence[Plain | None]) -> bool:
    """Whether whole numbers fit into 64 bits; larger ones stay text."""
    return all(not isinstance(value, int) or -(2**63) <= value < 2**63 for value in values)


def write_parquet(file: Path, results: Results) -> None:
    """Write Parquet: nulls are what is missing, and each field has its unit as metadata."""
    arrow, parquet = need("pyarrow", "tables"), need("pyarrow.parquet", "tables")
    kinds = {"float": arrow.float64(), "int": arrow.int64(), "bool": arrow.bool_(), "str": arrow.string()}
    fields, arrays = list[Any](), list[Any]()
    for column in results.columns:
        values: Sequence[Plain | None] = results.values(column.name)
        kind = kinds[column.type]
        if not _fits(values):
            kind, values = arrow.string(), [None if value is None else str(value) for value in values]
        fields.append(arrow.field(column.name, kind, metadata={"unit": column.unit} if column.unit else None))
        arrays.append(arrow.array(values, type=kind, from_pandas=False))
    parquet.write_table(arrow.Table.from_arrays(arrays, schema=arrow.schema(fields)), file)


def to_xarray(results: Results, dims: Sequence[str] | None = None) -> Any:
    """Return a dataset with a dimension for each variable that varies, or for those of `dims`.

    Each result, and the point's name and state, is an array over them. As an array of numbers has no place for what is
    missing, `NAME_present` tells it from NaN; its value is NaN, 0, False or an empty text there. `dims=["point"]` makes
    one dimension, for points that are on no grid. Raises DefinitionError if two points have one place.
    """
    numpy, xarray = need("numpy", "tables"), need("xarray", "tables")
    dims = tuple(results.varied if dims is None else dims) or (NAME,)
    axes = {name: _distinct(results.values(name)) for name in dims}
    shape = tuple(map(len, axes.values()))
    if numpy.prod(shape, dtype=float) > MOST_CELLS:
        raise DefinitionError(f"{len(results.rows):,} points are on no grid of {shape}; use dims=['point']")
    places = _places(results, axes)
    dataset = xarray.Dataset(
        coords={name: (name, axis, _attributes(results, name)) for name, axis in axes.items()}
    )
    for column in results.columns:
        if column.name not in dims:
            values = results.values(column.name)
            filled, present = _on_grid(numpy, column, values, places, shape)
            present_name = column.name + PRESENT
            more = {"ancillary_variables": present_name} if column.name in results.numbers else {}
            dataset[column.name] = (dims, filled, {**_attributes(results, column.name), **more})
            if more:
                dataset[present_name] = (dims, present)
    return dataset


def _attributes(results: Results, name: str) -> dict[str, str]:
    unit = results.column(name).unit
    return {"units": unit} if unit else {}


def _distinct(values: Sequence[Plain | None]) -> list[Plain]:
    """Return the values of an axis: numbers in their order, texts as they came."""
    known = list(dict.fromkeys(value for value in values if value is not None))
    return sorted(known) if all(isinstance(value, (int, float)) for value in known) else known


def _places(results: Results, axes: dict[str, list[Plain]]) -> list[tuple[int, ...]]:
    """Return where on a grid each row is."""
    numbers = {name: {value: place for place, value in enumerate(axis)} for name, axis in axes.items()}
    columns = {name: results.values(name) for name in axes}
    taken = dict[tuple[int, ...], str | None]()
    for row, here in enumerate(zip(*columns.values(), strict=True)):
        point = results.rows[row][NAME]
        if None in here:
            raise DefinitionError(f"{point} has no value for one of {', '.join(axes)}; choose other dims")
        place = tuple(numbers[name][value] for name, value in zip(axes, here, strict=True))
        if place in taken:
            raise DefinitionError(
                f"{taken[place]} and {point} have the same {', '.join(axes)}; add what tells them apart to dims"
            )
        taken[place] = point
    return list(taken)


def _on_grid(
    numpy: Any,
    column: Column,
    values: Sequence[Plain | None],
    places: Sequence[tuple[int, ...]],
    shape: tuple[int, ...],
) -> tuple[Any, Any]:
    """Return the values of a column on a grid, and where there are some."""
    kind = {"float": "float64", "int": "int64", "bool": "bool", "str": "object"}[column.type]
    filled = numpy.full(shape, ABSENT[column.type], dtype=kind if _fits(values) else "object")
    present = numpy.zeros(shape, dtype=bool)
    for place, value in zip(places, values, strict=True):
        if value is not None:
            filled[place], present[place] = value, True
    return filled, present

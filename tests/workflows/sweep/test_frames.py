"""Results for pandas, xarray and Parquet."""

import math
from pathlib import Path

import numpy
import pandas
import pyarrow.parquet
import pytest
from tests.workflows.sweep.conftest import made_results

from penstock.errors import DefinitionError
from penstock.workflows.sweep import frames
from penstock.workflows.sweep.columns import Column

T, SEED = Column("T", "float", "K"), Column("seed", "int")
E, N, WORD, OK = Column("E", "float", "J"), Column("N", "int"), Column("word", "str"), Column("ok", "bool")
ROWS = [
    ("0.5", "1", "1.5", "3", "", "true"),
    ("0.5", "2", "nan", None, None, None),
    ("2", "1", None, "5", "x", "false"),
]


def table():
    return made_results([T, SEED, E, N, WORD, OK], ROWS, numbers=4)


def test_in_pandas_missing_is_neither_nan_nor_empty() -> None:
    frame = table().to_pandas()
    assert list(frame.index) == ["p1", "p2", "p3"]
    assert {name: str(frame[name].dtype) for name in ("T", "seed", "E", "N", "ok")} == {
        "T": "Float64", "seed": "Int64", "E": "Float64", "N": "Int64", "ok": "boolean",
    }  # fmt: skip
    assert frame["E"].isna().tolist() == [False, False, True]
    assert math.isnan(frame["E"].iloc[1])
    assert frame["word"].isna().tolist() == [False, True, False]
    assert frame["word"].iloc[0] == ""
    assert frame["N"].iloc[0] == 3
    assert frame["N"].iloc[1] is pandas.NA
    assert frame.attrs["units"] == {"T": "K", "E": "J"}


def test_in_parquet_too_and_units_go_with_the_fields(tmp_path: Path) -> None:
    table().to_parquet(tmp_path / "r.parquet")
    read = pyarrow.parquet.read_table(tmp_path / "r.parquet")
    energies = read.column("E").to_pylist()
    assert energies[0] == 1.5
    assert math.isnan(energies[1])
    assert energies[2] is None
    assert read.column("word").to_pylist() == ["", None, "x"]
    assert read.column("ok").to_pylist() == [True, None, False]
    assert read.schema.field("E").metadata == {b"unit": b"J"}
    assert str(read.schema.field("N").type) == "int64"


def test_in_xarray_each_variable_is_a_dimension_and_absence_has_an_array_of_its_own() -> None:
    data = table().to_xarray()
    assert dict(data.sizes) == {"T": 2, "seed": 2}
    assert data["T"].attrs == {"units": "K"}
    assert data["E"].sel(T=0.5, seed=1).item() == 1.5
    assert numpy.isnan(data["E"].sel(T=0.5, seed=2).item())
    assert data["E_present"].values.tolist() == [[True, True], [False, False]]
    assert data["E"].attrs == {"units": "J", "ancillary_variables": "E_present"}
    assert data["point"].values.tolist() == [["p1", "p2"], ["p3", ""]]
    assert data["word"].sel(T=2, seed=1).item() == "x"
    assert float(data["N"].where(data["N_present"]).mean()) == 4.0


def test_the_numbers_along_a_dimension_are_in_order_and_words_as_they_came() -> None:
    rows = [("10", "b", "1"), ("9", "a", "2"), ("9.5", "b", "3")]
    data = made_results([T, Column("kind", "str"), E], rows).to_xarray()
    assert data["T"].values.tolist() == [9.0, 9.5, 10.0]
    assert data["kind"].values.tolist() == ["b", "a"]


def test_points_on_no_grid_are_rows_and_two_in_one_place_are_named() -> None:
    data = table().to_xarray(dims=["point"])
    assert dict(data.sizes) == {"point": 3}
    assert data["T"].values.tolist() == [0.5, 0.5, 2.0]
    with pytest.raises(DefinitionError, match="p1 and p2 have the same T"):
        table().to_xarray(dims=["T"])
    scattered = made_results([T, Column("p"), E], [(str(n), str(n), "1") for n in range(1, 4001)])
    with pytest.raises(DefinitionError, match=r"use dims=\['point'\]"):
        scattered.to_xarray()


def test_whole_numbers_beyond_64_bits_stay_exact_as_text(tmp_path: Path) -> None:
    results = made_results([N, E], [(str(2**80), "1"), ("5", "2")])
    assert results.to_pandas()["N"].tolist() == [str(2**80), "5"]
    results.to_parquet(tmp_path / "r.parquet")
    assert pyarrow.parquet.read_table(tmp_path / "r.parquet").column("N").to_pylist() == [str(2**80), "5"]
    assert results.to_xarray(dims=["point"])["N"].values.tolist() == [2**80, 5]


def test_a_library_that_is_not_installed_is_named_with_its_remedy() -> None:
    with pytest.raises(DefinitionError, match=r'nobody_has is not installed: pip install .*\[tables\]"'):
        frames.need("a_library_that_nobody_has", "tables")

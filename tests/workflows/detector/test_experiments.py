"""Which experiments there are, and which are controlled."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock.workflows.detector.experiments import Experiment, find_experiments, read_list

DEEP = "{instrument}/{experiment}/hdf5/{experiment}-r{run:04d}.h5"


def test_a_list_has_one_a_line_and_comments_and_blanks_are_harmless(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("# ours\n\n  cxil2316  \nxpptut15 # a tutorial\r\ncxil2316\n#amox27716\n")
    assert read_list(tmp_path / "list") == ["cxil2316", "xpptut15"]
    assert read_list(tmp_path / "none") is None


@pytest.mark.parametrize(
    ("pattern", "paths"),
    [
        (DEEP, ["CXI/cxil2316", "XPP/xpptut15", "XPP/xppa [b]/hdf5"]),
        ("data/{experiment}/r{run}.npy", ["data/cxil2316", "data/xpptut15", "data/xppa [b]"]),
        ("{experiment}-r{run:04d}.h5", ["cxil2316-r1.h5", "cxil2316-r2.h5", "xpptut15-r7.h5", "xppa [b]-r1.h5", "x.h5"]),
    ],
)  # fmt: skip
def test_experiments_are_found_where_the_pattern_names_them(
    tmp_path: Path, pattern: str, paths: list[str]
) -> None:
    for path in paths:
        (tmp_path / path).mkdir(parents=True)
    found = find_experiments(tmp_path, pattern)
    assert found == [
        Experiment("CXI", "cxil2316"),
        Experiment("XPP", "xppa [b]"),
        Experiment("XPP", "xpptut15"),
    ]


def test_a_field_that_comes_twice_has_one_value(tmp_path: Path) -> None:
    for path in ("XPP/XPP-a", "XPP/CXI-b"):
        (tmp_path / path).mkdir(parents=True)
    assert find_experiments(tmp_path, "{instrument}/{instrument}-{experiment}/{run}.h5") == [
        Experiment("XPP", "a")
    ]


def test_data_that_are_not_there_have_no_experiments(tmp_path: Path) -> None:
    assert find_experiments(tmp_path, f"none/{DEEP}") == []

"""Masks say what their numbers mean, fit or are refused, and go to other programs in their own words."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from penstock.errors import DefinitionError
from penstock.workflows.detector.faults import Unreadable
from penstock.workflows.detector.masks import Mask, export_nexus, export_psana, export_pyfai, nexus_of
from penstock.workflows.detector.ndarrayfile import read_text, text_of

BAD = np.array([[[0, 1, 0], [0, 0, 0]], [[1, 0, 0], [0, 0, 1]]], np.bool_)  # 2 panels of 2 × 3


def test_a_mask_means_what_is_said_and_nothing_is_guessed() -> None:
    numbers = np.array([[0, 1, 7]])
    assert Mask.of(numbers, "0 is bad").bad.tolist() == [[True, False, False]]
    assert Mask.of(numbers, "1 is bad").bad.tolist() == [[False, True, True]]
    with pytest.raises(DefinitionError, match="say '0 is bad' or '1 is bad'"):
        Mask.of(numbers, "good")


@pytest.mark.parametrize("shape", [(2, 2, 3), (4, 3), (1, 2, 2, 3)])
def test_a_mask_of_the_same_pixels_fits_with_or_without_panels(shape: tuple[int, ...]) -> None:
    np.testing.assert_array_equal(Mask(BAD.reshape(shape)).fit((2, 2, 3)).bad, BAD)


def test_a_mask_of_one_panel_is_that_of_each() -> None:
    made = Mask(BAD[0]).fit((3, 2, 3)).bad
    assert made.shape == (3, 2, 3)
    assert all(np.array_equal(panel, BAD[0]) for panel in made)
    assert Mask(BAD[:1]).fit((2, 3)).bad.shape == (2, 3)


@pytest.mark.parametrize("shape", [(3, 2), (2, 6), (3, 4), (12,), (3, 2, 2)])
def test_another_shape_is_refused_with_both(shape: tuple[int, ...]) -> None:
    with pytest.raises(DefinitionError, match=r"a mask of \(.*\) does not fit a detector of \(2, 2, 3\)"):
        Mask(np.zeros(shape, np.bool_)).fit((2, 2, 3))


def test_what_is_exported_comes_back(tmp_path: Path) -> None:
    export_nexus(tmp_path / "m.nxs", nexus_of(np.where(BAD, 8, 0)))
    export_pyfai(tmp_path / "m.npy", BAD)
    export_psana(tmp_path / "m.data", BAD, {"RUN": 59})
    for name, polarity in (("m.nxs", "1 is bad"), ("m.npy", "1 is bad"), ("m.data", "0 is bad")):
        np.testing.assert_array_equal(Mask.read(tmp_path / name, polarity).fit(BAD.shape).bad, BAD)


def test_each_export_has_the_form_that_its_program_reads(tmp_path: Path) -> None:
    export_nexus(tmp_path / "m.nxs", nexus_of(np.where(BAD, 8, 0)))
    with h5py.File(tmp_path / "m.nxs") as file:
        made = file["entry/instrument/detector/pixel_mask"]
        assert (made.dtype, made.shape, int(made[0, 0, 0])) == (np.uint32, (2, 2, 3), 0)
        assert file["entry/instrument/detector"].attrs["NX_class"] == "NXdetector"
    export_pyfai(tmp_path / "m.npy", BAD)
    rows = np.load(tmp_path / "m.npy")
    assert (rows.dtype, rows.shape, int(rows[0, 1])) == (np.int8, (4, 3), 1)
    export_psana(tmp_path / "m.data", BAD, {})
    values, about = read_text(tmp_path / "m.data")
    assert (int(values[0, 0, 1]), about["POLARITY"]) == (0, "0 is bad")


def test_the_bits_of_nexus_say_why_and_what_a_user_masked() -> None:
    status = np.array([0, 172, 106, 8, 1, 80, 0], np.uint16)
    known = np.array([0, 0, 0, 0, 0, 0, 1], np.bool_)
    under, over, dead, noisy, user = 4, 8, 2, 16, 256
    assert nexus_of(status, known).tolist() == [
        0,
        under | dead | noisy,
        over | dead | under | noisy,
        dead,
        noisy,
        over | noisy,
        user,
    ]


@pytest.mark.parametrize("array", [
    np.arange(24, dtype=np.uint16).reshape(2, 3, 4),
    np.array([[0.125, -7.5]], np.float32),
    np.array([1, 0, 1], np.uint8),
    np.zeros((2, 1, 2, 2), np.int32),
])  # fmt: skip
def test_an_array_written_as_text_comes_back(tmp_path: Path, array: np.ndarray) -> None:
    (tmp_path / "a.data").write_bytes(text_of(array, {"RUN": 7, "NOTE": "two\nlines"}))
    made, about = read_text(tmp_path / "a.data")
    assert (made.shape, made.dtype) == (array.shape, array.dtype)
    np.testing.assert_array_equal(made, array)
    assert (about["RUN"], about["NOTE"]) == ("7", "two lines")


def test_text_of_older_forms_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.data").write_text("0 1 0\n1 0 0\n")
    assert read_text(tmp_path / "a.data")[0].shape == (2, 3)
    (tmp_path / "b.data").write_text("# NDIM  3\n# DIM:1  2\n# DIM:2  1\n# DIM:3  2\n0 1\n1 0\n")
    assert read_text(tmp_path / "b.data")[0].shape == (2, 1, 2)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("# NDIM 2\n# DIM:0 2\n# DIM:1 3\n0 1 0\n", "3 values; its header says"),
        ("0 1 x\n", "no array as text"),
        ("0 1\n0\n", "no array as text"),
        ("# DTYPE uint16\n0.5 1\n", "values that are no uint16"),
        ("# DTYPE nonsense\n0 1\n", "no array as text"),
    ],
)
def test_text_that_is_no_array_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "a.data").write_text(text)
    with pytest.raises(Unreadable, match=said):
        read_text(tmp_path / "a.data")

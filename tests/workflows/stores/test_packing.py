import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.workflows.stores.packing import FILL, Quantiser, deflate, rounded


@given(st.lists(st.floats(-350, 250), min_size=1, max_size=50), st.sampled_from([0.1, 0.5, 1.0]))
def test_packing_is_right_within_half_a_step(levels, step):
    level = np.array(levels, np.float32)
    quantiser = Quantiser.around(level, step)
    back = quantiser.pack(level).astype(float) * step + quantiser.offset
    assert np.abs(back - level).max() <= step / 2 + 1e-3


@given(st.lists(st.floats(2.0**-90, 2.0**90, width=32), min_size=1, max_size=50))
def test_a_sum_is_kept_within_a_thousandth_of_a_decibel(values):
    sums = np.array(values, np.float32)
    assert np.abs(10 * np.log10(rounded(sums).astype(float) / sums)).max() < 1.1e-3


def test_rounding_a_sum_moves_no_mean():
    sums = np.random.default_rng(1).exponential(size=100_000).astype(np.float32)
    assert rounded(sums).mean(dtype=float) == pytest.approx(sums.mean(dtype=float), rel=2e-6)
    assert not (rounded(sums).view(np.uint32) & 0xFFF).any()
    assert np.isnan(rounded(np.array([np.nan]))).all()


def test_no_data_is_packed_as_the_fill_value():
    assert Quantiser(1.0, 0.0).pack(np.array([np.nan, 3.2], np.float32)).tolist() == [FILL, 3]


def test_values_beyond_the_range_are_kept_at_its_ends_and_never_become_the_fill_value():
    stored = Quantiser(1.0, 0.0).pack(np.array([-1e9, 1e9], np.float32))
    assert stored.tolist() == [-32767, 32767]


def test_a_deflated_chunk_holds_its_bytes_plane_by_plane():
    chunk = np.arange(600, dtype=np.int16).reshape(20, 30)
    planes = np.frombuffer(zlib.decompress(deflate(chunk)), np.uint8).reshape(2, -1)
    assert np.array_equal(planes.T.reshape(-1).view(np.int16), chunk.reshape(-1))

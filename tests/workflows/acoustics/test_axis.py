import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.workflows.acoustics.axis import Axis

SCALES = ["linear", "log", ((0.5, 2000.0), (0.8, 6000.0))]


@settings(max_examples=30, deadline=None)
@given(st.integers(3, 100), st.integers(1, 100), st.sampled_from(SCALES))
def test_rows_keep_a_flat_spectrum_flat_and_lose_no_line(lines, rows, scale):
    spacing = 24000 / (lines - 1)
    axis = Axis.of(scale, spacing, 24000)
    assert axis.rows(np.full(lines, 3.0), rows, spacing) == pytest.approx(np.full(rows, 3.0))
    for k in range(1, lines):
        assert axis.rows(np.eye(lines)[k], rows, spacing).sum() > 0

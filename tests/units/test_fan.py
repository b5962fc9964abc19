"""Products that are spread over folders: two digits of a key, the same for ever."""

from collections import Counter
from datetime import UTC, datetime
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.units import canonical, fan

VALUES = st.one_of(st.text(), st.integers(), st.booleans(), st.floats(allow_nan=False, allow_infinity=False))


@pytest.mark.parametrize(
    ("key", "digits"),
    [
        ((), "4f"),
        (("2020-01-17", 1807), "4a"),
        (("spectrum_0001",), "b3"),
        (("Kråkenes",), "d1"),
        ((datetime(2020, 1, 17, 22, 15, tzinfo=UTC),), "b3"),
    ],
)
def test_these_names_are_in_use_and_must_never_change(key: tuple[object, ...], digits: str) -> None:
    assert fan(key) == digits


@given(st.lists(VALUES, max_size=4))
def test_it_is_what_the_documented_formula_gives(key: list[object]) -> None:
    assert fan(key) == f"{sha256(canonical(key).encode()).digest()[0]:02x}"


@pytest.mark.parametrize("name", ["{}", "2020-01-17_{:06d}", "{:05d}.000", "run/{}"])
def test_products_are_spread_evenly_over_256_folders(name: str) -> None:
    counts = Counter(fan((name.format(number),)) for number in range(25_600))
    assert len(counts) == 256
    assert all(50 < count < 160 for count in counts.values())  # 100 each, and over five standard deviations

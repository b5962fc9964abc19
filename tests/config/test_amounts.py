"""Durations and sizes as people write them."""

import pytest

from penstock.config.amounts import gpus, seconds, size


@pytest.mark.parametrize(
    ("written", "value"),
    [("90s", 90), ("10min", 600), ("2h", 7200), ("1d", 86400), ("1.5 h", 5400), (5, 5), (0.5, 0.5), (0, 0),
     ("250ms", 0.25), ("01:30:05", 5405), ("100:00:00", 360000)],
)  # fmt: skip
def test_a_duration_is_read(written: object, value: float):
    assert seconds(written) == value


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("2GB", 2 * 10**9),
        ("500MB", 5 * 10**8),
        ("1GiB", 2**30),
        ("4G", 2**32),
        ("1.5 kB", 1500),
        (10, 10),
        ("7B", 7),
    ],
)
def test_a_size_is_read(written: object, value: int):
    assert size(written) == value


@pytest.mark.parametrize(
    "written", ["", "10", "ten min", "-5s", -1, True, None, float("inf"), float("nan"), "5GB", [1]]
)
def test_what_is_no_duration_says_how_to_write_one(written: object):
    with pytest.raises(ValueError, match=r'is not a duration; write seconds or text such as "90s"'):
        seconds(written)


@pytest.mark.parametrize("written", ["5 minutes", "2gb", "10", -1, "1e9B"])
def test_what_is_no_size_says_how_to_write_one(written: object):
    with pytest.raises(ValueError, match=r'is not a size; write bytes or text such as "500MB"'):
        size(written)


@pytest.mark.parametrize(
    ("written", "read"), [(0, (0, None)), (2, (2, None)), ("a100", (1, "a100")), ("a100:2", (2, "a100"))]
)
def test_gpus_are_a_number_a_type_or_both(written, read):
    assert gpus(written) == read


@pytest.mark.parametrize("written", [-1, 1.5, True, "", "2", ":2", "a100:0", "a100:", "a b", None])
def test_what_are_no_gpus_is_refused_with_what_to_write(written):
    with pytest.raises(ValueError, match="a100:2"):
        gpus(written)


@pytest.mark.parametrize("written", ["9999999999d", "1e400", 10**400, float("inf"), 1e10])
def test_a_duration_that_nobody_waits_for_is_none(written: object) -> None:
    with pytest.raises(ValueError, match="write seconds or text"):
        seconds(written)

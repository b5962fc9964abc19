"""What stages returned, as notebooks show it."""

from datetime import UTC, datetime

import pytest

from penstock.record.results import SHOWN, Failure, Results
from penstock.record.rows import ResultRow

NOW = datetime(2026, 11, 30, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script>\x1b[31m"


def row(unit: str, value: object) -> ResultRow:
    return ResultRow("fit", unit, {"run": unit}, value, None, NOW, 1.0, 1.0, 1, "vm")


def test_a_result_by_its_unit() -> None:
    results = Results([row("a", 1), row("b", 2)], [Failure("c", {"run": "c"}, "error: no light", "")])
    assert (results["b"], results[0].unit, len(results), results[:1][0].value) == (2, "a", 2, 1)
    with pytest.raises(KeyError, match="no result of 'c': error: no light"):
        results["c"]


def test_a_frame_has_the_key_as_index_and_what_was_returned_as_columns() -> None:
    frame = Results([row("a", {"d": 1.5}), row("b", {"d": 2.5, "n": 3})], (), ["run"]).to_frame()
    assert frame.loc["b", "d"] == 2.5
    assert list(frame.columns) == ["d", "n"]
    assert len(Results([]).to_frame()) == 0


def test_names_and_logs_are_inert_in_a_page() -> None:
    results = Results([row(HOSTILE, HOSTILE)], [Failure(HOSTILE, {}, HOSTILE, HOSTILE)])
    for page in results._repr_mimebundle_().values():  # pyright: ignore[reportPrivateUsage]
        assert "\x1b" not in page
    assert "<script>" not in results.html()
    assert results._repr_html_() == results.html()  # pyright: ignore[reportPrivateUsage]


def test_what_a_notebook_keeps_is_small() -> None:
    rows = [row(str(number), {f"c{n}": "x" * 10_000 for n in range(50)}) for number in range(500)]
    failed = [Failure(str(number), {}, "y" * 10_000, "z" * 20_000) for number in range(500)]
    for page in Results(rows, failed)._repr_mimebundle_().values():  # pyright: ignore[reportPrivateUsage]
        assert len(page) < 250_000
        assert "… and 480 more failed ones" in page


def test_many_rows_are_counted() -> None:
    results = Results([row(str(number), number) for number in range(SHOWN + 5)])
    assert "… and 5 more results" in results.html()
    assert list(results.lines())[-1] == "… and 5 more results"

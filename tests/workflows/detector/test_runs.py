"""Counts of runs, as tables."""

from __future__ import annotations

from penstock.workflows.detector.runs import Counts, Run, by_experiment, by_instrument, table_of


def run(experiment: str, number: int, state: str, **more: bool) -> Run:
    given = {"stale": False, "gone": False, "archived": False, **more}
    instrument = experiment[:3].upper()
    return Run(
        f"{instrument}/{experiment}/{number:04d}", instrument, experiment, number, state, None, **given
    )


RUNS = [
    run("cxia", 1, "done", stale=True),
    run("cxia", 2, "done", gone=True),
    run("cxib", 1, "seen"),
    run("xppa", 0, "failed"),
]


def test_runs_are_counted_by_what_they_belong_to_and_only_filled_columns_are_shown() -> None:
    counts = [*by_instrument(RUNS), *by_experiment(RUNS), Counts.of("all", RUNS)]
    assert [line.split() for line in table_of(counts)] == [
        ["runs", "seen", "done", "failed", "stale", "gone"],
        ["CXI", "3", "1", "2", "1", "1"],
        ["XPP", "1", "1"],
        ["CXI/cxia", "2", "2", "1", "1"],
        ["CXI/cxib", "1", "1"],
        ["XPP/xppa", "1", "1"],
        ["all", "4", "1", "2", "1", "1", "1"],
    ]
    assert len({line.rstrip() for line in table_of(counts)}) == 7


def test_no_runs_are_a_table_too() -> None:
    assert [line.split() for line in table_of([Counts.of("all", [])])] == [["runs"], ["all", "0"]]


def test_new_is_what_somebody_waits_for_and_is_there() -> None:
    assert [each.new for each in RUNS] == [False, False, True, True]
    assert not run("cxia", 3, "ready", gone=True).new
    assert [run("cxia", 3, state).new for state in ("queued", "running", "vetoed", "waiting")] == [
        False,
        False,
        False,
        True,
    ]

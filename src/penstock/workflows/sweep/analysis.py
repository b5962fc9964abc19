"""`penstock sweep analyse`: averages, pictures and tables of a sweep, in a folder of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from penstock.errors import DefinitionError
from penstock.units import unknown_name
from penstock.workflows.sweep.cells import line
from penstock.workflows.sweep.report import write_report
from penstock.workflows.sweep.results import Results, average, read_results

FOLDER = "analysis"


def analyse(
    folder: Path,
    out: Path,
    *,
    by: Sequence[str] = (),
    only: Sequence[str] = (),
    where: str | None = None,
    parquet: bool = False,
) -> Results:
    """Write the table, the averages by the variables `by`, pictures and a page of a sweep into a folder.

    `only` names the results that are wanted, `where` is a condition that a point must meet. Raises DefinitionError.
    """
    results = read_results(folder).planned()
    if where:
        results = results.where(where)
    results = replace(results, numbers=_wanted(results, only))
    done = [row for row in results.rows if row["state"] == "done"]
    if not done:
        raise DefinitionError("none of the points is done; run them with `penstock sweep submit`")
    chosen = _grouping(results, by)
    out.mkdir(parents=True, exist_ok=True)
    for old in out.glob("*.png"):
        old.unlink()
    write_report(out / "index.html", results, pictures=out, by=chosen, missing=len(results.rows) - len(done))
    write_averages(out / "averages.csv", results, chosen)
    results.to_csv(out / "results.csv")
    if parquet:
        results.to_parquet(out / "results.parquet")
    return results


def _wanted(results: Results, only: Sequence[str]) -> tuple[str, ...]:
    for name in only:
        if name not in results.numbers:
            raise DefinitionError(unknown_name(name, list(results.numbers), "--result"))
    return tuple(only) or results.numbers


def _grouping(results: Results, by: Sequence[str]) -> list[str]:
    for name in by:
        results.column(name)
    return list(by) or [name for name in results.varied if name != results.seed]


def write_averages(file: Path, results: Results, by: Sequence[str]) -> None:
    """Write the averages of all numbers, a row each."""
    lines: list[list[str | None]] = [["result", *by, "mean", "standard_error", "standard_deviation", "n"]]
    for name in results.numbers:
        if results.column(name).is_number:
            lines += [
                [name, *each.at, repr(each.mean), *_spread(each.error, each.deviation, each.n), str(each.n)]
                for each in average(results, name, by)
            ]
    file.write_text("".join(map(line, lines)), encoding="utf-8")


def _spread(error: float, deviation: float, count: int) -> tuple[str | None, str | None]:
    """Write how far values are apart; of a single one that is missing."""
    return (repr(error), repr(deviation)) if count > 1 else (None, None)

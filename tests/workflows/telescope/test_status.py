"""The table of a night, from what the record has of its runs."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.workflows.telescope.observatory import SOURCES, Observatory

from penstock.workflows.telescope.status import COLUMNS, Job, Run, lines_of, rows_of, write_status

STAGES = ("r0_to_dl1", "dl1ab", "datacheck", "dl1_to_dl2")


def run(done: int, failed: int = 0, **given: object) -> Run:
    states = {stage: +Counter({"done": done, "failed": failed}) for stage in STAGES[:3]}
    return Run({**states, STAGES[3]: Counter(blocked=1)}, muons=done, **given)  # type: ignore[arg-type]


def rows(tmp_path: Path, runs: dict[int, Run]) -> list[dict[str, object]]:
    place = Observatory(tmp_path)
    place.night(sources=[(1807, "Mrk 421", 1.0, 2.0), SOURCES[1]])
    return [*rows_of("LST1", place.plan().sequences, runs)]


def test_a_night_of_which_nothing_is_known_yet_is_planned(tmp_path: Path) -> None:
    made = rows(tmp_path, {})
    assert [(row["Seq"], row["Parent"], row["Run"], row["State"]) for row in made] == [
        (1, None, 1809, "planned"), (2, 1, 1807, "planned"), (3, 1, 1808, "planned"),
    ]  # fmt: skip
    assert {row["Expected"] for row in made} == {None}


def test_percentages_are_of_all_subruns_and_rounded_down(tmp_path: Path) -> None:
    done = Run(
        {stage: Counter(done=9 if stage != STAGES[3] else 1) for stage in STAGES}, muons=9, closed=True
    )
    first, second = rows(tmp_path, {1807: run(done=10, failed=1), 1808: done})[1:]
    assert (first["State"], first["DL1%"], first["MUONS%"], first["DL2%"]) == ("failed", 90, 90, 0)
    assert (first["Done"], first["Expected"]) == (30, 34)
    assert (second["State"], second["Action"], second["DL1AB%"], second["DL2%"]) == (
        "done",
        "closed",
        100,
        100,
    )


def test_a_vetoed_run_is_told_as_that(tmp_path: Path) -> None:
    row = rows(tmp_path, {1807: run(done=2, vetoed=True)})[1]
    assert (row["Action"], row["State"]) == ("veto", "vetoed")


def test_a_table_has_a_line_a_sequence_and_as_many_cells_as_columns(tmp_path: Path) -> None:
    job = Job(12, 3725.4, "4711", 0)
    head, *lines = lines_of(rows(tmp_path, {1807: run(done=11, job=job)}))
    assert head.split() == [*COLUMNS]
    assert '"Mrk 421"' in lines[1]
    told = lines[1].replace('"Mrk 421"', "x").split()
    assert told[:8] == ["LST1", "2", "1", "DATA", "1807", "11", "x", "-"]
    assert told[8:] == ["12", "4711", "blocked", "1:02:05", "0", "33", "34", "100", "100", "100", "100", "0"]


def test_a_page_has_the_same_table(tmp_path: Path) -> None:
    made = rows(tmp_path, {1807: run(done=11)})
    write_status(tmp_path / "nights.html", [("2020-01-17", made)], "LST1")
    text = (tmp_path / "nights.html").read_text()
    assert text.count("<tr>") == 4
    assert "<td>Mrk 421</td>" in text

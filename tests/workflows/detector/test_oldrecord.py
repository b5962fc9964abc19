"""The text files of the old tool: read as they are, and never rewritten."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from penstock.errors import DefinitionError
from penstock.workflows.detector.oldrecord import (
    append_lines,
    find_old,
    line_of,
    move_lines,
    odd_lines,
    read_lines,
    root_of,
    run_of,
)

LINE = b"0151 2017-10-05T15:19:21 ann psana1501 cwd:/reg/neh/my home cmd:proc_control -e cxil2316 -r 151\n"
OTHER = b"0000 2017-10-05T15:19:22 ann psana1501 cwd:/ cmd:x\n"


def write(path: Path, *lines: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(lines))
    return path


@pytest.mark.parametrize(
    ("line", "run"),
    [
        (LINE, 151),
        (OTHER, 0),
        (b"0012 2017-10-05T15:19:21\n", 12),
        (b"10012 2017-10-05T15:19:21 a b cwd: cmd:\r\n", 10012),
        (b"# runs\n", None),
        (b"151\n", None),
        (b"0151 yesterday ann host cwd:/ cmd:x\n", None),
    ],
)
def test_a_line_names_its_run_or_none(line: bytes, run: int | None) -> None:
    assert run_of(line) == run


def test_a_new_line_is_one_that_can_be_read() -> None:
    made = line_of(
        7, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), login="a", host="h", cwd="/a b", command="penstock x"
    )
    assert made == b"0007 2026-01-02T03:04:05 a h cwd:/a b cmd:penstock x\n"
    assert run_of(made) == 7


def test_lines_are_added_after_those_that_are_there_even_without_an_end(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", LINE.rstrip(b"\n"))
    assert append_lines(path, [OTHER]) == 1
    assert path.read_bytes() == LINE + OTHER
    assert append_lines(path, []) == 0
    assert append_lines(tmp_path / "new/b.txt", [OTHER]) == 1


def test_lines_move_with_all_of_a_run_and_a_move_that_was_killed_is_completed(tmp_path: Path) -> None:
    again = LINE.replace(b"15:19:21", b"16:00:00")
    processed, archived = write(tmp_path / "p", LINE, b"odd\n", OTHER, again), tmp_path / "a"
    write(archived, LINE, again)  # killed before the lines were taken out of the other file
    assert move_lines(processed, archived, [151, 9]) == 1
    assert processed.read_bytes() == b"odd\n" + OTHER
    assert archived.read_bytes() == LINE + again
    assert move_lines(processed, archived, [0]) == 1
    assert archived.read_bytes() == LINE + again + OTHER


def test_files_are_found_by_their_names_and_odd_lines_are_told(tmp_path: Path) -> None:
    write(tmp_path / "pixel_status/CXI/cxil2316-proc-runs.txt", LINE, b"?\n", b"\n")
    write(tmp_path / "pixel_status/CXI/cxil2316-arch-runs.txt", OTHER)
    write(tmp_path / "pixel_status/CXI/cxi-1-2-proc-arch.txt", OTHER)
    write(tmp_path / "pixel_status/CXI/notes.txt", OTHER)
    write(tmp_path / "pixel_status/CXI/cxil2316/log-cxil2316-r0151.txt", OTHER)
    root = root_of(tmp_path, "pixel_status")
    assert [(file.experiment, file.kind) for file in find_old(root)] == [
        ("cxi-1-2", "proc-arch"), ("cxil2316", "arch-runs"), ("cxil2316", "proc-runs"),
    ]  # fmt: skip
    assert root_of(root, "pixel_status") == root
    assert [*odd_lines(find_old(root))] == [
        f"{root}/CXI/cxil2316-proc-runs.txt: '?' names no run; it is kept as it is"
    ]
    with pytest.raises(DefinitionError, match="has no INSTRUMENT/EXPERIMENT"):
        root_of(tmp_path / "pixel_status/CXI", "pixel_status")


def test_the_lines_of_a_file_that_is_not_there_are_none(tmp_path: Path) -> None:
    assert read_lines(tmp_path / "none").runs == {}

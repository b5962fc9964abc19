"""Exports: one file a table, read back equal, whole or not there."""

import csv
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from penstock.errors import LedgerError
from penstock.ledger import Ledger
from penstock.ledger.exporting import FORMATS, TABLES, export
from penstock.testing import failing, make_campaign

DEFINITION = """
[campaign]
name = "winter"
levels = ["night", "run"]
[units]
files = "in/{night}/{run:03d}.txt"
[stage.copy]
each = "run"
command = ["cp", "{path}", "{product}"]
products = "out/{night}/{run}.txt"
[stage.join]
each = "night"
after = "copy"
command = ["cat", "{inputs.copy}"]
products = "joined/{night}.txt"
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    files = {f"in/é,{night}/{run:03d}.txt": f"{run}" for night in "ab" for run in range(3)}
    made = make_campaign(tmp_path_factory.mktemp("winter"), DEFINITION, files)
    made.run(failing("join"))
    return made.root


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def read_jsonl(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_every_table_is_a_file_and_all_formats_say_the_same(root: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs pyarrow: pip install 'penstock[tables]'")
    with Ledger.open(root, readonly=True) as ledger:
        counts = {form: export(ledger.db, tmp_path / form, form) for form in FORMATS}
    for table in TABLES:
        lines = read_jsonl(tmp_path / "jsonl" / f"{table}.jsonl")
        cells = read_csv(tmp_path / "csv" / f"{table}.csv")
        rows = parquet.read_table(tmp_path / "parquet" / f"{table}.parquet").to_pylist()
        assert len(lines) == len(cells) == len(rows) == counts["csv"][table]
        for line, cell, row in zip(lines, cells, rows, strict=True):
            assert {name: "" if value is None else str(value) for name, value in line.items()} == cell
            told = {
                name: f"{value:%Y-%m-%dT%H:%M:%S.%f}Z" if isinstance(value, datetime) else value
                for name, value in row.items()
            }
            assert told == line


def test_attempts_have_the_values_of_the_record_times_in_utc_and_keys_as_people_write_them(
    root: Path, tmp_path: Path
) -> None:
    with Ledger.open(root, readonly=True) as ledger:
        export(ledger.db, tmp_path / "all", "csv")
        ended, wall = ledger.db.execute("SELECT ended, wall_s FROM attempt WHERE id = 1").fetchone()
    first = read_csv(tmp_path / "all" / "attempts.csv")[0]
    assert datetime.fromisoformat(first["ended"]) == datetime.fromtimestamp(ended, UTC)
    assert (float(first["wall_s"]), first["unit"], first["outcome"]) == (wall, "é,a/000", "ok")
    assert {row["state"] for row in read_csv(tmp_path / "all" / "tasks.csv")} == {"done", "failed"}


def test_a_folder_that_exists_is_refused_and_what_fails_leaves_nothing(root: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "file").write_text("")
    with Ledger.open(root, readonly=True) as ledger:
        with pytest.raises(LedgerError, match="is there already"):
            export(ledger.db, tmp_path / "taken", "csv")
        with pytest.raises(LedgerError, match="nothing was exported"):
            export(ledger.db, tmp_path / "file" / "below", "csv")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "taken"]

"""`ledger check` finds what does not agree."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from penstock.cli.root import cli
from penstock.ledger import Ledger
from penstock.ledger.check import check_ledger
from penstock.ledger.stored import stored_graph
from penstock.testing import make_campaign

TOML = """
[campaign]
name = "small"
levels = ["night", "run"]
[units]
files = "in/{night}/{run}.txt"
settle = "0s"
[stage.copy]
each = "run"
command = ["cp", "{path}", "{product}"]
products = "out/{night}/{run}.txt"
[stage.join]
each = "night"
after = ["copy"]
command = ["touch", "{product}"]
products = "out/{night}.txt"
"""


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    make_campaign(tmp_path, TOML, files={"in/a/1.txt": "1", "in/a/2.txt": "2", "in/b/1.txt": "3"})
    result = CliRunner().invoke(cli, ["-C", str(tmp_path), "run"])
    assert result.exit_code == 0, result.output
    return tmp_path


def wrongs(root: Path, *statements: str) -> list[str]:
    with Ledger.open(root) as ledger:
        for statement in statements:
            ledger.db.execute(statement)
        return check_ledger(ledger, stored_graph(ledger))


def test_a_finished_campaign_agrees_with_itself(finished: Path) -> None:
    assert wrongs(finished) == []
    assert CliRunner().invoke(cli, ["-C", str(finished), "ledger", "check"]).exit_code == 0


def test_a_wrong_count_is_found_in_its_group(finished: Path) -> None:
    found = wrongs(finished, "UPDATE tally SET n = n + 1 WHERE unit <> 1 AND state = 'done'")
    assert len(found) == 2
    assert "3 tasks are counted as done, there are 2" in " ".join(found)


def test_a_task_that_runs_nowhere_is_found(finished: Path) -> None:
    found = wrongs(finished, "UPDATE task SET state = 'running' WHERE stage = 1")
    assert any("queued or running without an open batch" in sentence for sentence in found)
    assert CliRunner().invoke(cli, ["-C", str(finished), "ledger", "check"]).exit_code == 1


def test_a_task_that_is_to_be_redone_and_is_not_stale_is_found(finished: Path) -> None:
    found = wrongs(
        finished,
        "UPDATE task SET redo = 3 WHERE stage = 1 AND unit = (SELECT min(unit) FROM task WHERE stage = 1)",
    )
    assert found == ["tasks that are to be redone but are not marked stale: 1"]

"""Pruning: what is old goes, after it was exported; what a state or a product rests on stays."""

from pathlib import Path

import pytest

from penstock.conductor import Conductor
from penstock.conductor.rebuilding import compare_with_archives, rebuild
from penstock.errors import LedgerError
from penstock.ledger import FILE, FOLDER, Ledger
from penstock.ledger.pruning import count_old, prune
from penstock.ledger.redefined import redefinition
from penstock.ledger.requests import record
from penstock.testing import MadeCampaign, ManualClock, failing, make_campaign

YEAR = 365 * 86_400.0
DEFINITION = """
[campaign]
name = "winter"
levels = ["run"]
[units]
files = "in/{run}.txt"
[stage.copy]
each = "run"
command = ["cp", "{path}", "{product}"]
products = "out/{run}.txt"
"""


def made_in(folder: Path, n: int) -> MadeCampaign:
    return make_campaign(folder, DEFINITION, {f"in/{run}.txt": f"{run}" for run in range(n)})


def redo_all(made: MadeCampaign, clock: ManualClock) -> None:
    """Run everything once more, as a new version of a program makes people do."""
    with Ledger.open(made.root) as ledger:
        record(ledger, "redo", {}, "me@here", clock.now())
    with Conductor(made.load(), command="run", site=made.site(clock=clock), clock=clock) as conductor:
        conductor.run(stale=True)


def counts(root: Path) -> dict[str, int]:
    tables = ("attempt", "job", "batch", "life", "request", "product", "task")
    with Ledger.open(root, readonly=True) as ledger:
        return {name: ledger.db.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables}


def test_the_last_attempt_of_a_task_stays_and_earlier_ones_go_with_their_jobs(tmp_path: Path) -> None:
    made, clock = made_in(tmp_path, 3), ManualClock()
    made.run(clock=clock)
    redo_all(made, clock)
    clock.turn(YEAR)
    with Ledger.open(tmp_path) as ledger:
        planned = count_old(ledger.db, clock.now() - 90)
        removed = prune(ledger, clock.now() - 90, tmp_path / "export")
    assert (planned["attempts"], removed["attempts"], removed["requests"]) == (3, 3, 1)
    left = counts(tmp_path)
    assert (left["attempt"], left["task"], left["product"]) == (3, 3, 3)
    assert removed["jobs"] >= 1
    assert len(list((tmp_path / "export" / "jobs").glob("*.zip"))) == removed["jobs"]
    assert (tmp_path / "export" / "attempts.csv").read_text().count("\n") == 7
    assert made.run(clock=clock).code == 0
    assert counts(tmp_path)["attempt"] == 3, "nothing is behind, and nothing runs again"


def test_all_attempts_of_what_failed_stay(tmp_path: Path) -> None:
    made, clock = made_in(tmp_path, 2), ManualClock()
    made.run(failing("copy"), clock=clock)
    before = counts(tmp_path)["attempt"]
    clock.turn(YEAR)
    with Ledger.open(tmp_path) as ledger:
        prune(ledger, clock.now(), tmp_path / "export")
    assert counts(tmp_path)["attempt"] == before > 2


def test_nothing_is_removed_when_the_export_fails(tmp_path: Path) -> None:
    made, clock = made_in(tmp_path, 2), ManualClock()
    made.run(clock=clock)
    redo_all(made, clock)
    before = counts(tmp_path)
    (tmp_path / "file").write_text("")
    with Ledger.open(tmp_path) as ledger, pytest.raises(LedgerError, match="nothing was exported"):
        prune(ledger, clock.now() + YEAR, tmp_path / "file" / "export")
    assert counts(tmp_path) == before


def test_what_was_pruned_is_neither_missed_nor_brought_back_as_something_to_do(tmp_path: Path) -> None:
    made, clock = made_in(tmp_path, 3), ManualClock()
    made.run(clock=clock)
    redo_all(made, clock)
    with Ledger.open(tmp_path) as ledger:
        prune(ledger, clock.now() + YEAR, tmp_path / "export")
    assert compare_with_archives(made.load()) == []
    rebuild(made.load(), clock=clock)
    assert set(made.states("copy").values()) == {"done"}


def ask(made: MadeCampaign, action: str, clock: ManualClock, **target: object) -> None:
    with Ledger.open(made.root) as ledger:
        record(ledger, action, target, "me@here", clock.now())
    made.run(clock=clock)


def test_a_lifted_veto_goes_and_one_that_holds_stays(tmp_path: Path) -> None:
    made, clock = made_in(tmp_path, 2), ManualClock()
    made.run(clock=clock)
    for unit in (2, 3):
        ask(made, "veto", clock, unit=unit, why="clouds")
    ask(made, "unveto", clock, unit=2)
    clock.turn(YEAR)
    with Ledger.open(tmp_path) as ledger:
        assert prune(ledger, clock.now(), tmp_path / "export")["lifted vetoes"] == 1
        assert [row[0] for row in ledger.db.execute("SELECT unit FROM veto")] == [3]
    assert compare_with_archives(made.load()) == []


def test_definitions_stay_by_which_a_task_was_made(tmp_path: Path) -> None:
    made, clock = made_in(tmp_path, 1), ManualClock()
    made.run(clock=clock)
    for version in range(4):
        text = DEFINITION.replace("[stage.copy]", f'[stage.copy]\nversion = "{version}"')
        (tmp_path / "penstock.toml").write_text(text)
        clock.turn(YEAR)
        made.run(clock=clock)
    with Ledger.open(tmp_path) as ledger:
        assert prune(ledger, clock.now() + 1, tmp_path / "export")["definitions"] == 3
        assert [row[0] for row in ledger.db.execute("SELECT id FROM definition ORDER BY id")] == [1, 5]
        before = ledger.db.execute("SELECT made FROM task").fetchone()[0]
        assert str(redefinition(ledger.db, "copy", before)) == "the version:  → 3"
    assert (tmp_path / "export" / "definitions.csv").exists()


def test_reasons_go_with_the_last_that_has_them(tmp_path: Path) -> None:
    made, clock = made_in(tmp_path, 2), ManualClock()
    made.run(failing("copy"), clock=clock)
    ask(made, "mark", clock, units=[2], stage="copy", why="by hand")
    ask(made, "archive", clock, units=[3], why="on tape")
    ask(made, "unarchive", clock, units=[3], why="back")
    clock.turn(YEAR)
    with Ledger.open(tmp_path) as ledger:
        prune(ledger, clock.now(), tmp_path / "export")
        assert [row[0] for row in ledger.db.execute("SELECT why FROM cause")] == ["by hand"]


def test_what_a_person_unmarked_stays_known(tmp_path: Path) -> None:
    made, clock = made_in(tmp_path, 1), ManualClock()
    made.run(failing("copy"), clock=clock)
    ask(made, "mark", clock, units=[2], stage="copy", why="by hand")
    ask(made, "unmark", clock, units=[2], stage="copy", why="no")
    clock.turn(YEAR)
    with Ledger.open(tmp_path) as ledger:
        prune(ledger, clock.now(), tmp_path / "export")
        assert [row[0] for row in ledger.db.execute("SELECT what FROM history")] == ["unmarked"]


def test_five_years_of_redoing_everything_keep_their_size(tmp_path: Path) -> None:
    made, clock, sizes = made_in(tmp_path, 150), ManualClock(), list[int]()
    made.run(clock=clock)
    for year in range(5):
        for _ in range(3):
            clock.turn(YEAR / 3)
            redo_all(made, clock)
        with Ledger.open(tmp_path) as ledger:
            prune(ledger, clock.now() - YEAR / 4, tmp_path / f"export-{year}")
        sizes.append((tmp_path / FOLDER / FILE).stat().st_size)
    assert sizes[-1] <= 1.2 * sizes[1]
    assert counts(tmp_path)["attempt"] <= 2 * 150

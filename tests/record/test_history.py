"""The history of a unit: what happened since its first sight, by whom and why, in the order of time."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

import penstock.record
from penstock.cli.root import cli
from penstock.ledger import Ledger
from penstock.ledger.history import Entry, append, append_with
from penstock.testing import ManualClock, Outcome
from penstock.testing.campaigns import MadeCampaign

FIRST, FAILED = "2020-01-17/00001", "2020-01-18/00002"
AT = 1_600_000_000.0


def well(run: object) -> Outcome:
    return Outcome(seconds=2.0, contents={"product": b"made"})


@pytest.fixture
def record(ran: MadeCampaign) -> Iterator[penstock.record.Record]:
    with penstock.record.open(ran.root) as opened:
        yield opened


def told(made: MadeCampaign, unit: str) -> list[tuple[str, str | None]]:
    with penstock.record.open(made.root) as record:
        return [(event.what, event.stage) for event in record.history(unit)]


def penstock_says(made: MadeCampaign, *words: str) -> str:
    result = CliRunner().invoke(cli, ["-C", str(made.root), "history", *words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_a_unit_is_first_seen_and_then_made(ran):
    assert told(ran, FIRST) == [("first seen", None), ("ok", "fit")]


def test_a_file_that_changes_makes_stale_and_both_are_told(winter):
    winter.run(well, clock=ManualClock(AT))
    winter.write("raw/2020-01-17/00001_DATA.txt", "longer")
    winter.run(well, clock=ManualClock(AT + 100))
    with penstock.record.open(winter.root) as record:
        events = record.history(FIRST)
    assert [(event.what, event.stage, event.why) for event in events[2:]] == [
        ("files changed", None, "1 → 6 bytes"),
        ("field size changed", None, "1 → 6"),
        ("stale", "fit", "its input changed: 1 → 6 bytes"),
    ]
    assert events[0].at.timestamp() == pytest.approx(AT, abs=10)
    assert events[2].at.timestamp() == pytest.approx(AT + 100, abs=10)


def test_a_unit_that_goes_and_comes_back_is_told_of(winter):
    clock = ManualClock(AT)
    winter.run(well, clock=clock)
    path = winter.root / "raw/2020-01-17/00001_DATA.txt"
    text = path.read_text()
    path.unlink()
    winter.run(well, clock=clock)
    winter.write("raw/2020-01-17/00001_DATA.txt", text)
    winter.run(well, clock=clock)
    assert told(winter, FIRST)[2:] == [("gone", None), ("returned", None)]


def test_what_a_person_asked_for_is_told_of_those_that_it_was_about_only(ran, record):
    record.ask("retry")
    assert "to be retried" in [what for what, _ in told(ran, FAILED)]
    assert told(ran, FIRST) == [("first seen", None), ("ok", "fit")]
    record.ask("redo", FIRST, why="the lamp was off")
    event = record.history(FIRST)[-1]
    assert (event.what, event.stage, event.why) == ("to be redone", "fit", "the lamp was off")
    assert "@" in event.by


def test_a_veto_of_a_group_is_in_the_history_of_its_members(ran, record):
    record.ask("veto", "2020-01-17", why="clouds")
    assert ("vetoed", None) in told(ran, FIRST)
    assert ("vetoed", None) in told(ran, "2020-01-17")
    assert ("vetoed", None) not in told(ran, FAILED)


def test_a_block_is_told_with_its_reason(ran):
    assert told(ran, "2020-01-18") == [("first seen", None), ("blocked", "merge")]


def test_a_changed_definition_is_told_of_the_stages_that_it_changed(winter):
    winter.run(well, clock=ManualClock(AT))
    text = (winter.root / "penstock.toml").read_text()
    (winter.root / "penstock.toml").write_text(text.replace('["cat", ', '["cat", "-n", '))
    winter.run(well, clock=ManualClock(AT + 100))
    with penstock.record.open(winter.root) as record:
        events = record.history("2020-01-17")
    assert [(e.what, e.stage) for e in events] == [
        ("first seen", None), ("ok", "merge"), ("definition changed", "merge"),
    ]  # fmt: skip
    assert "the command: cat" in events[-1].why
    assert told(winter, FIRST) == [("first seen", None), ("ok", "fit")]


def test_a_group_has_its_own_history_and_says_how_many_members_it_has(ran):
    text = penstock_says(ran, "2020-01-17")
    assert text.splitlines()[-1] == "3 members, each with a history of its own"
    assert " fit " not in text


def test_the_table_has_a_line_an_event_and_the_json_says_the_same(ran):
    lines = penstock_says(ran, FIRST).splitlines()
    events = json.loads(penstock_says(ran, FIRST, "--json"))
    assert len(lines) == len(events) == 2
    assert [event["what"] for event in events] == ["first seen", "ok"]
    assert events[1]["stage"] == "fit"
    assert events[1]["unit"] == FIRST
    assert all(event["at"] > 0 for event in events)


def test_one_stage_is_told_alone_with_what_is_of_the_unit_itself(ran, record):
    record.ask("veto", FAILED, why="clouds")
    whats = [event["what"] for event in json.loads(penstock_says(ran, FAILED, "--stage", "fit", "--json"))]
    assert whats == ["first seen", "error", "vetoed"]


def test_entries_of_one_moment_keep_their_order_and_name_their_cause_once(tmp_path: Path) -> None:
    with Ledger.draft(tmp_path) as ledger:
        append(ledger.db, [Entry(1, "gone"), Entry(1, "returned"), Entry(2, "gone")])
        append_with(ledger.db, "archived", {1: "on tape", 2: "on tape"}, by="me@here")
        append_with(ledger.db, "archived", {1: "on tape"}, by="me@here")
        rows = ledger.db.execute("SELECT unit, n, what FROM history").fetchall()
        assert [tuple(row) for row in rows] == [
            (1, 1, "gone"), (1, 2, "returned"), (1, 3, "archived"), (1, 4, "archived"), (2, 1, "gone"), (2, 2, "archived"),
        ]  # fmt: skip
        assert [tuple(row) for row in ledger.db.execute("SELECT by, why FROM cause")] == [
            ("me@here", "on tape")
        ]


def test_no_row_of_a_large_table_is_read_that_is_of_another_unit(ran):
    """Each of its queries looks into an index; the tables that it scans have a row a decision, not one a task."""
    from penstock.record import history

    small = {"v", "d", "s"}
    with Ledger.open(ran.root, readonly=True) as ledger:
        for sql in (history.ATTEMPTS, history.ENTRIES, history.VETOES, history.MISSED):
            plan = [row[3] for row in ledger.db.execute(f"EXPLAIN QUERY PLAN {sql}", (1,))]
            scanned = {line.split()[1] for line in plan if line.startswith("SCAN")}
            assert scanned <= {*small, "json_each"}, (sql, plan)

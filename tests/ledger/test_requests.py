"""What people ask for is written down first and applied by whoever drives the campaign."""

import json
from pathlib import Path

import pytest
from tests.ledger.engine import Engine
from tests.ledger.model import Found, Key
from tests.ledger.shapes import SHAPES, campaign_of

from penstock.clock import SystemClock
from penstock.errors import LedgerError
from penstock.ledger import FOLDER, Ledger
from penstock.ledger.check import check_ledger
from penstock.ledger.hosts.lease import held
from penstock.ledger.requests import ask, record
from penstock.testing import Outcome, failing, make_campaign

ONE, TWO, GROUP = ("p", "p"), ("p", "q"), ("p",)
TOML = """
[campaign]
name = "small"
levels = ["file"]
[units]
files = "in/{file}.txt"
[stage.copy]
each = "file"
command = ["cp", "{path}", "{product}"]
products = "out/{file}.txt"
retry = { error = { times = 0 } }
"""


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    made = Engine(campaign_of(SHAPES["merges"], tmp_path, {}), tmp_path)
    made.scan({2: {key: Found({}, "1:1") for key in (ONE, TWO)}}, accept_gone=True)
    return made


def fail(engine: Engine, key: Key) -> None:
    engine.give("make", key)
    engine.end("make", key, Outcome("error", verdict="permanent", why="broken"))


def states(engine: Engine, stage: str = "make") -> dict[Key, str]:
    return {key: state for (name, key), (state, _) in engine.tasks().items() if name == stage}


def answers(engine: Engine) -> list[str]:
    return [row[0] for row in engine.db.execute("SELECT answer FROM request ORDER BY id")]


# --- retry ----------------------------------------------------------------------------------------


def test_what_cannot_be_noted_is_not_requested(tmp_path: Path) -> None:
    with Ledger.open(tmp_path, create=True) as ledger:
        (tmp_path / FOLDER / "actions.jsonl").mkdir()
        with pytest.raises(LedgerError, match=r"actions\.jsonl cannot be written .*so nothing was requested"):
            record(ledger, "cancel", {"all": True}, "me@here", 0.0)
        assert ledger.db.execute("SELECT count(*) FROM request").fetchone()[0] == 0


def test_a_retry_brings_failed_tasks_back_with_all_their_tries(engine: Engine) -> None:
    fail(engine, ONE)
    engine.ask("retry", None, ONE)
    assert states(engine)[ONE] == "ready"
    assert tuple(engine.db.execute("SELECT max(tries), max(free), max(alone) FROM task").fetchone()) == (
        0,
        0,
        0,
    )
    assert answers(engine)[-1].startswith("1 failed task")


def test_a_retry_frees_the_merge_that_the_failure_blocked(engine: Engine) -> None:
    fail(engine, ONE)
    assert states(engine, "merge")[GROUP] == "blocked"
    engine.ask("retry", "make", GROUP)
    assert states(engine, "merge")[GROUP] == "waiting"


def test_a_retry_of_another_stage_or_unit_changes_nothing(engine: Engine) -> None:
    fail(engine, ONE)
    engine.ask("retry", "merge", GROUP)
    engine.ask("retry", None, TWO)
    assert states(engine)[ONE] == "failed"


def test_a_retry_lets_a_paused_stage_go_on_and_counts_its_fuse_anew(engine: Engine) -> None:
    fail(engine, ONE)
    engine.db.execute("UPDATE stage SET paused = 'fuse', paused_why = 'all fail' WHERE name = 'make'")
    engine.ask("retry", "make", ())
    assert engine.db.execute("SELECT count(*) FROM stage WHERE paused IS NOT NULL").fetchone()[0] == 0
    assert answers(engine)[-1] == "1 failed task will be retried, stage 'make' resumed"
    assert engine.ledger.meta("fuse.make") == "1"


def test_a_retry_that_only_ends_a_pause_says_so(engine: Engine) -> None:
    engine.db.execute("UPDATE stage SET paused = 'fuse', paused_why = 'all fail' WHERE name = 'make'")
    engine.ask("retry", "make", ())
    assert answers(engine)[-1] == "stage 'make' resumed"
    engine.ask("retry", "make", ())
    assert answers(engine)[-1] == "0 failed tasks will be retried"


# --- veto -----------------------------------------------------------------------------------------


def test_a_veto_of_a_group_holds_for_all_under_it_and_for_what_comes_later(engine: Engine) -> None:
    engine.ask("veto", None, GROUP)
    assert set(states(engine).values()) == {"vetoed"}
    engine.scan({2: {key: Found({}, "1:1") for key in (ONE, TWO, ("p", "r"))}}, accept_gone=True)
    assert states(engine)[("p", "r")] == "vetoed"


def test_a_vetoed_task_says_who_and_why(engine: Engine) -> None:
    engine.ask("veto", None, ONE)
    row = engine.db.execute(
        "SELECT why FROM task WHERE unit = ? AND stage = 1", (engine.unit(ONE),)
    ).fetchone()
    assert row["why"] == "vetoed by tester: the test wants it"


def test_a_merge_leaves_a_vetoed_member_out(engine: Engine) -> None:
    engine.ask("veto", "make", TWO)
    engine.give("make", ONE)
    engine.end("make", ONE, Outcome())
    assert engine.give("merge", GROUP)["inputs"] == {"make": ["make/p/p"]}


def test_what_is_done_stays_done_under_a_veto(engine: Engine) -> None:
    engine.give("make", ONE)
    engine.end("make", ONE, Outcome())
    engine.ask("veto", None, ONE)
    assert states(engine)[ONE] == "done"


def test_lifting_one_of_two_vetoes_frees_nothing(engine: Engine) -> None:
    engine.ask("veto", None, ONE)
    engine.ask("veto", "make", GROUP)
    engine.ask("unveto", None, ONE)
    assert states(engine)[ONE] == "vetoed"
    engine.ask("unveto", None, GROUP)
    assert set(states(engine).values()) == {"ready"}


def test_a_veto_that_was_lifted_is_kept_with_who_did_it(engine: Engine) -> None:
    engine.ask("veto", None, ONE)
    engine.ask("unveto", None, ONE)
    row = engine.db.execute("SELECT by, why, lifted_by FROM veto").fetchone()
    assert tuple(row) == ("tester", "the test wants it", "tester")


# --- cancel and the rest --------------------------------------------------------------------------


def test_what_is_cancelled_counts_as_failed_and_its_late_end_is_not_applied(engine: Engine) -> None:
    engine.give("make", ONE)
    engine.start("make", ONE)
    engine.ask("cancel", None, ONE)
    assert states(engine)[ONE] == "failed"
    engine.end("make", ONE, Outcome())
    assert states(engine)[ONE] == "failed"
    engine.ask("retry", None, ONE)
    assert states(engine)[ONE] == "ready"


def test_a_request_that_nobody_knows_is_answered_and_not_asked_again(engine: Engine) -> None:
    engine.ask("levitate", None, ONE)
    assert answers(engine) == ["nothing done: levitate is unknown to this version"]
    assert engine.requests.apply(2.0) == []


def test_requests_are_applied_in_their_order(engine: Engine) -> None:
    target = json.dumps({"unit": engine.unit(ONE), "stage": None, "why": "noise"})
    for action in ("veto", "unveto", "veto"):
        engine.db.execute(
            "INSERT INTO request (at, by, action, target) VALUES (0, 'a', ?, ?)", (action, target)
        )
    assert [row["action"] for row in engine.requests.apply(1.0)] == ["veto", "unveto", "veto"]
    assert states(engine)[ONE] == "vetoed"


# --- who applies them -----------------------------------------------------------------------------


def test_with_nobody_there_a_request_is_applied_at_once(tmp_path: Path) -> None:
    made = make_campaign(tmp_path, TOML, files={"in/a.txt": "a"})
    assert made.run(failing("copy")).code == 1
    assert "1 failed task" in ask(tmp_path, "retry", {"stage": "copy"}, "ann")
    assert made.states("copy") == {'["a"]': "ready"}


def test_a_living_conductor_is_left_to_do_it(tmp_path: Path) -> None:
    made = make_campaign(tmp_path, TOML, files={"in/a.txt": "a"})
    made.run(failing("copy"))
    with held(tmp_path, command="run", clock=SystemClock()):
        assert "in its next turn" in ask(tmp_path, "retry", {"stage": "copy"}, "ann")
        assert made.states("copy") == {'["a"]': "failed"}
    assert made.run().code == 0
    assert made.states("copy") == {'["a"]': "done"}


def test_every_request_is_also_a_line_of_actions_jsonl(tmp_path: Path) -> None:
    with Ledger.open(tmp_path, create=True) as ledger:
        record(ledger, "veto", {"unit": 1, "why": "naïve\nline"}, "ann", 5.0)
        record(ledger, "down", {}, "bob", 6.0)
    lines = (tmp_path / FOLDER / "actions.jsonl").read_text().splitlines()
    assert [json.loads(line)["by"] for line in lines] == ["ann", "bob"]
    assert json.loads(lines[0])["target"]["why"] == "naïve\nline"


def test_what_was_cancelled_in_a_batch_may_lose_its_input_before_the_batch_is_over(engine: Engine) -> None:
    engine.give("make", ONE)
    engine.ask("cancel", None, ONE)
    assert states(engine)[ONE] == "failed"
    engine.scan({2: {TWO: Found({}, "1:1")}}, accept_gone=True)
    assert states(engine)[ONE] == "gone"
    assert check_ledger(engine.ledger, engine.graph) == []

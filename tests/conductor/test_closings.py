"""When groups close, what holds them back, and what comes late: with one conductor, and with a new one each turn."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.conductor.grid import run_afresh

from penstock.conductor import Conductor, Ending
from penstock.ledger import Ledger
from penstock.ledger.requests import ask
from penstock.testing import ManualClock, Outcome, Run, make_campaign
from penstock.testing.campaigns import MadeCampaign

TOML = """
    [campaign]
    name = "nights"
    levels = ["night", "file"]
    [units]
    files = "data/{night}/{file}.txt"
    [stage.copy]
    each = "file"
    command = ["cp", "{path}", "{product}"]
    products = "copies/{night}/{file}.txt"
    [stage.sum]
    each = "night"
    after = "copy"
    command = ["sum", "{inputs_file.copy}", "{product}"]
    products = "sums/{night}.txt"
    [close.night]
    steps = ["verify", { merge = "sum" }, "seal"]
    """
FILES = {f"data/2020-01-{day}/{name}.txt": name for day in (17, 18) for name in "ab"}
ONE, OTHER = '["2020-01-17"]', '["2020-01-18"]'

Work = Callable[..., Ending]


@pytest.fixture(params=["one conductor", "a new one each turn"])
def work(request: pytest.FixtureRequest) -> Work:
    """Run a campaign on a pretended site."""

    def run(
        made: MadeCampaign, rule: Callable[[Run], Outcome] | None = None, clock: ManualClock | None = None
    ) -> Ending:
        clock = clock or ManualClock()
        site = made.site(rule, clock=clock) if rule else made.site(clock=clock)
        start = lambda: Conductor(made.load(), command="run", site=site, clock=clock)  # noqa: E731
        if request.param != "one conductor":
            return run_afresh(start)
        with start() as conductor:
            return conductor.run()

    return run


def seals(made: MadeCampaign) -> dict[str, str]:
    return made.states("close.night.seal")


def unit(made: MadeCampaign, key: str) -> int:
    with Ledger.open(made.root, readonly=True) as ledger:
        return ledger.db.execute("SELECT id FROM unit WHERE key = ?", (key,)).fetchone()[0]


def why(made: MadeCampaign, stage: str, key: str) -> str:
    sql = "SELECT t.why FROM task t JOIN stage s ON s.id = t.stage WHERE s.name = ? AND t.unit = ?"
    with Ledger.open(made.root, readonly=True) as ledger:
        return ledger.db.execute(sql, (stage, unit(made, key))).fetchone()[0]


def asked(made: MadeCampaign, action: str, key: str) -> str:
    return ask(made.root, action, {"unit": unit(made, key), "why": "a test"}, "me@here")


def failing(run: Run) -> Outcome:
    return Outcome("error") if (run.stage, run.key) == ("copy", "2020-01-17/a") else Outcome()


def test_a_group_closes_when_it_is_whole_whatever_others_do(tmp_path: Path, work: Work) -> None:
    made = make_campaign(tmp_path, TOML, FILES)
    assert work(made, failing).code == 1
    assert seals(made) == {ONE: "blocked", OTHER: "done"}
    assert why(made, "close.night.verify", ONE) == "1 of 2 members of 'copy' failed"


def test_a_vetoed_member_is_left_out(tmp_path: Path, work: Work) -> None:
    made = make_campaign(tmp_path, TOML, FILES)
    work(made, failing)
    asked(made, "veto", '["2020-01-17","a"]')
    assert work(made, failing).code == 0
    assert seals(made) == {ONE: "done", OTHER: "done"}


def test_a_group_without_members_closes(tmp_path: Path, work: Work) -> None:
    made = make_campaign(tmp_path, TOML.replace('{ merge = "sum" }, ', ""), FILES)
    text = (tmp_path / "penstock.toml").read_text().replace('each = "night"', 'each = "night"\nempty = "run"')
    (tmp_path / "penstock.toml").write_text(text)
    work(made, lambda run: Outcome("error", verdict="veto", why="dark") if run.stage == "copy" else Outcome())
    assert seals(made) == {ONE: "done", OTHER: "done"}


def test_what_comes_late_is_told_and_waits_until_the_group_is_opened(tmp_path: Path, work: Work) -> None:
    made = make_campaign(tmp_path, TOML, FILES)
    work(made)
    made.write("data/2020-01-17/c.txt", "c")
    ending = work(made)
    late = "late: night 2020-01-17 is closed; open it with `penstock reopen 2020-01-17`"
    assert made.states("copy")['["2020-01-17","c"]'] == "blocked"
    assert why(made, "copy", '["2020-01-17","c"]') == late
    assert late in "\n".join(ending.lines)
    assert seals(made)[ONE] == "done"
    assert "is open; its seal 1 is kept" in asked(made, "reopen", ONE)
    work(made)
    assert made.states("copy")['["2020-01-17","c"]'] == "done"
    assert seals(made) == {ONE: "waiting", OTHER: "done"}
    assert "`penstock close 2020-01-17` closes it again" in why(made, "close.night.verify", ONE)
    assert asked(made, "close", ONE) == "night 2020-01-17 will be closed: verify, seal"
    work(made)
    assert seals(made) == {ONE: "done", OTHER: "done"}


def test_nothing_of_a_closed_group_is_redone(tmp_path: Path, work: Work) -> None:
    made = make_campaign(tmp_path, TOML, FILES)
    work(made)
    made.write("data/2020-01-17/a.txt", "other")
    answer = ask(made.root, "redo", {"units": [unit(made, ONE)]}, "me@here")
    assert "left out (night 2020-01-17 is closed): open it with `penstock reopen 2020-01-17`" in answer
    with Conductor(
        made.load(), command="run", site=made.site(clock=ManualClock()), clock=ManualClock()
    ) as conductor:
        conductor.run(stale=True)
    assert attempts(made, "copy", '["2020-01-17","a"]') == 1


def attempts(made: MadeCampaign, stage: str, key: str) -> int:
    sql = "SELECT count(*) FROM attempt a JOIN stage s ON s.id = a.stage WHERE s.name = ? AND a.unit = ?"
    with Ledger.open(made.root, readonly=True) as ledger:
        return ledger.db.execute(sql, (stage, unit(made, key))).fetchone()[0]


def test_a_closing_waits_for_the_hour_by_the_clocks_of_its_zone(tmp_path: Path, work: Work) -> None:
    text = TOML + 'not_before = "08:00 next day"\n    time_zone = "Europe/Madrid"\n'
    made = make_campaign(tmp_path, text, FILES)
    clock = ManualClock(datetime(2020, 1, 18, 6, 59, tzinfo=UTC).timestamp())
    ending = work(made, clock=clock)
    assert (ending.code, seals(made)) == (0, {ONE: "waiting", OTHER: "waiting"})
    assert "it is not 08:00 next day in Europe/Madrid yet" in "\n".join(ending.lines)
    clock.set(datetime(2020, 1, 18, 7, 0, tzinfo=UTC).timestamp())
    work(made, clock=clock)
    assert seals(made) == {ONE: "done", OTHER: "waiting"}
    asked(made, "close", OTHER)
    work(made, clock=clock)
    assert seals(made) == {ONE: "done", OTHER: "done"}


def test_units_that_a_where_leaves_out_hold_no_closing_back(tmp_path: Path, work: Work) -> None:
    only = """
    [stage.first]
    each = "file"
    where = "file == 'a'"
    command = ["cp", "{path}", "{product}"]
    products = "firsts/{night}/{file}.txt"
    [close.file]
    """
    made = make_campaign(tmp_path, TOML + only, FILES)
    assert work(made).code == 0
    assert set(made.states("close.file.seal").values()) == {"done"}
    assert seals(made) == {ONE: "done", OTHER: "done"}


def test_a_member_that_comes_while_the_group_is_sealed_is_in_the_seal(tmp_path: Path) -> None:
    made, clock = make_campaign(tmp_path, TOML, FILES), ManualClock()
    site = made.site(
        lambda run: Outcome(seconds=100.0 if run.stage == "close.night.seal" else 0.0), clock=clock
    )
    with Conductor(made.load(), command="run", site=site, clock=clock) as conductor:
        while "running" not in seals(made).values():
            conductor.turn()
            clock.sleep(1.0)
        made.write("data/2020-01-17/c.txt", "c")
        conductor.discover()
        conductor.run()
    assert made.states("copy")['["2020-01-17","c"]'] == "done"
    assert seals(made) == {ONE: "done", OTHER: "done"}
    assert (attempts(made, "close.night.seal", ONE), attempts(made, "close.night.seal", OTHER)) == (2, 1)
    assert [closings(made, key) for key in (ONE, OTHER)] == [1, 1]


def closings(made: MadeCampaign, key: str) -> int:
    sql = "SELECT count(*) FROM history WHERE what = 'closed' AND unit = ?"
    with Ledger.open(made.root, readonly=True) as ledger:
        return ledger.db.execute(sql, (unit(made, key),)).fetchone()[0]


def test_with_members_done_a_failed_one_is_left_out(tmp_path: Path, work: Work) -> None:
    text = TOML.replace('{ merge = "sum" }, ', "").replace(
        'after = "copy"', 'after = "copy"\n    members = "done"'
    )
    made = make_campaign(tmp_path, text + 'members = "done"\n', FILES)
    work(made, failing)
    assert seals(made) == {ONE: "done", OTHER: "done"}
    assert made.states("copy")['["2020-01-17","a"]'] == "failed"


def test_a_stage_that_is_added_does_not_run_in_closed_groups(tmp_path: Path, work: Work) -> None:
    made = make_campaign(tmp_path, TOML, FILES)
    work(made)
    more = '[stage.more]\neach = "file"\ncommand = ["true"]\n'
    (tmp_path / "penstock.toml").write_text((tmp_path / "penstock.toml").read_text() + more)
    work(made)
    assert set(made.states("more").values()) == {"blocked"}
    assert seals(made) == {ONE: "done", OTHER: "done"}


@pytest.mark.parametrize(
    ("action", "key", "said"),
    [
        ("reopen", ONE, "nothing done: night 2020-01-17 is not closed"),
        (
            "close",
            '["2020-01-17","a"]',
            "groups of 'file' are not closed; add [close.file] to the definition",
        ),
        (
            "close",
            ONE,
            "will be closed (verify, seal) when its tasks are done: 1 of 2 members of 'copy' failed",
        ),
        ("close", OTHER, "nothing done: night 2020-01-18 is closed; `penstock reopen 2020-01-18` opens it"),
    ],
)
def test_an_answer_says_what_will_be(tmp_path: Path, action: str, key: str, said: str) -> None:
    made = make_campaign(tmp_path, TOML, FILES)
    made.run(failing)
    assert said in asked(made, action, key)

"""A wall clock that is put back by hours delays nothing by hours, with one conductor and with a new one each turn."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conductor.grid import COPY, HOURS, JOIN, Grid, PutBack, first_try, taking

from penstock.conductor import Conductor
from penstock.conductor.collection import UNSEEN_S
from penstock.ledger import Ledger
from penstock.ledger.actions import Action, note_action
from penstock.ledger.requests import leave_file
from penstock.pretended.clock import ManualClock
from penstock.testing import Fault, Outcome, PretendSite, make_campaign

fresh_or_not = pytest.mark.parametrize("fresh", [False, True], ids=["one conductor", "a new one each turn"])


def grid(folder: Path, *stages: str, **options: object) -> Grid:
    it = Grid(folder, "".join(stages), even=True, **options)
    it.wall = PutBack(it.clock)
    return it


def drive(it: Grid, until: Callable[[], object], *, fresh: bool, within_s: float = 1800.0) -> float:
    """Take a turn every ten seconds, as one who watches does, until something holds; return how long that took."""
    begun, conductor = it.clock.monotonic(), it.conductor("watch")
    with conductor:
        conductor.open_ended = True
        while not fresh and not until() and it.clock.monotonic() - begun < within_s:
            conductor.turn()
            it.clock.turn(10.0)
    while not until() and it.clock.monotonic() - begun < within_s:
        with it.conductor("tick") as conductor:
            conductor.tick()
        it.clock.turn(10.0)
    assert until(), "not even now"
    return it.clock.monotonic() - begun


def die_without_a_word(it: Grid) -> None:
    it.at(41, lambda: it.cluster.kill(it.element(1)))


def lose_the_submission(it: Grid) -> None:
    it.cluster.inject(Fault.NOT_TAKEN, 1)


def nothing_else(it: Grid) -> None:
    """Let the clock be all that is wrong."""


RETRIED = 'retry = { error = { times = 3, delays = ["2min"] } }\n'


@fresh_or_not
@pytest.mark.parametrize(
    ("more", "happens", "limit_s"),
    [
        ("", die_without_a_word, 700),
        ("", lose_the_submission, 600),
        (RETRIED, nothing_else, 500),
        ("batch_wait = '5min'\n", nothing_else, 500),
    ],
    ids=["a dead element", "a job without an id", "a retry after a delay", "a batch that waits for company"],
)
def test_it_is_done_within_minutes(
    tmp_path: Path, *, more: str, happens: Callable[[Grid], None], limit_s: float, fresh: bool
) -> None:
    bad = Outcome("error", code=1, seconds=30.0) if more == RETRIED else Outcome(seconds=30.0)
    it = grid(tmp_path, COPY, more, units=5, rule=first_try(bad, 2))
    it.at(100 if more == RETRIED else 40, it.wall.put_back)
    happens(it)
    took = drive(it, lambda: it.states() == {"done": 5}, fresh=fresh)
    assert took < limit_s
    assert it.faults() == []


@fresh_or_not
def test_a_quiet_group_is_complete_after_its_time_and_not_before(tmp_path: Path, *, fresh: bool) -> None:
    it = grid(tmp_path, COPY, "batch_wait = '0s'\n", JOIN, "batch_wait = '0s'\n", nights="a")
    text = (
        (it.root / "penstock.toml")
        .read_text()
        .replace("[units]", '[units]\ncomplete = { night = "quiet 10min" }')
    )
    (it.root / "penstock.toml").write_text(text)
    it.at(60, it.wall.put_back)
    took = drive(it, lambda: it.states("join") == {"done": 1}, fresh=fresh)
    assert 600 < took < 1000  # sources are looked at every five minutes


@fresh_or_not
def test_products_are_looked_at_the_next_day_by_either_clock(tmp_path: Path, *, fresh: bool) -> None:
    it = grid(tmp_path, COPY, "batch_wait = '0s'\n", rule=taking(1.0))
    drive(it, lambda: it.states() == {"done": 6}, fresh=True)
    it.wall.put_back()
    (it.root / "out/a/0.txt").unlink()
    stale = "SELECT count(*) FROM task WHERE stale IS NOT NULL"
    drive(it, lambda: it.rows(stale) == [(1,)], fresh=fresh)


class Unseen(PretendSite):
    """A machine whose processes cannot be seen, as from another container."""

    def sees(self, native: str) -> bool:
        return False


@fresh_or_not
def test_a_runner_that_cannot_be_seen_is_waited_for_as_long_as_ever(tmp_path: Path, *, fresh: bool) -> None:
    text = '[campaign]\nname = "x"\nlevels = ["file"]\n[units]\ntable = "files.csv"\n[stage.copy]\neach = "file"\n'
    text += 'command = ["cp", "{file}", "{product}"]\nproducts = "out/{file}"\n'
    made, clock = make_campaign(tmp_path, text, {"files.csv": "file\na\n"}), ManualClock()
    site = Unseen(tmp_path, rule=taking(1e9), clock=clock)

    def finished() -> int:
        with Ledger.open(tmp_path, readonly=True) as ledger:
            return ledger.db.execute("SELECT count(*) FROM job WHERE state = 'finished'").fetchone()[0]

    def conductor() -> Conductor:
        return Conductor(made.load(), command="watch", site=site, clock=clock)

    with conductor() as first:
        first.turn()
        first.turn()
        for runner in site.runners.values():
            runner.alive = False
        clock.set(clock.now() - HOURS)
        times = [first] if not fresh else []
        waited = 0.0
        for one in times * 60:
            one.turn()
            if finished():
                break
            clock.turn(10.0)
            waited += 10.0
    while fresh and not finished() and waited < 600:
        with conductor() as next_one:
            next_one.turn()
        clock.turn(10.0)
        waited += 10.0
    assert UNSEEN_S <= waited < UNSEEN_S + 30


def test_requests_of_other_hosts_are_taken_in(tmp_path: Path) -> None:
    it = grid(tmp_path, COPY, queue_s=9e9)
    with it.conductor("watch") as conductor:
        conductor.turn()
        it.wall.put_back()
        leave_file(it.root, "cancel", {}, "anna@other", it.wall.now())
        conductor.turn()
        assert it.states() == {"failed": 6}


def test_a_request_that_the_record_lacks_is_taken_in(tmp_path: Path) -> None:
    it = grid(tmp_path, COPY, queue_s=9e9)
    with it.conductor("tick"):
        note_action(it.root, Action(it.wall.now(), "anna@other", "veto", {"unit": 1, "why": "noise"}, {}))
    it.wall.put_back()
    with it.conductor("tick"):
        assert it.rows("SELECT action, by FROM request") == [("veto", "anna@other")]

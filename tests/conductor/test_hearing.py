"""Runners are heard all at once, however many they are and however much they wrote."""

import json
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import pytest

from penstock.conductor import Conductor
from penstock.ledger import jobs
from penstock.site.protocols import Life
from penstock.testing import ManualClock, Outcome, PretendSite, make_campaign
from penstock.transports.protocol import AT_ONCE

TOML = """
[campaign]
name = "many"
levels = ["file"]
[units]
files = "in/{file}.txt"
[stage.copy]
each = "file"
command = ["cp", "{path}", "{product}"]
products = "out/{file}.txt"
batch = 1
"""


class CountingSite(PretendSite):
    """A site that counts how often it is asked for events, and about how many files."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, rule=None, clock=ManualClock(), cores=4)
        self.questions: list[int] = []
        self.proofs: list[int] = []

    def new_events(
        self, known: Mapping[Life, int | None], tokens: Collection[str] = ()
    ) -> Mapping[Life, bytes]:
        self.questions.append(len(known))
        return super().new_events(known, tokens)

    def misfits(self, products: Sequence[tuple[str, int, str]]) -> Mapping[str, str]:
        self.proofs.append(len(products))
        return super().misfits(products)


def conductor_of(root: Path) -> tuple[Conductor, CountingSite]:
    """Return a conductor that has not begun, and its site with four runners to come."""
    made = make_campaign(root, TOML, files={f"in/{n}.txt": "x" for n in range(8)})
    site = CountingSite(made.root)
    return Conductor(made.load(), command="run", site=site, clock=site.clock), site


def test_all_runners_are_heard_by_one_question_a_turn(tmp_path: Path) -> None:
    conductor, site = conductor_of(tmp_path)
    with conductor:
        conductor.tick()
        assert len(site.runners) == 4
        site.questions.clear()
        conductor.crew.collector.collect()
        conductor.crew.collector.any_new_events()
        assert site.questions == [4, 4]


@pytest.mark.parametrize("runners", [1, 3])
def test_what_has_no_room_in_one_answer_is_asked_for_at_once(tmp_path: Path, runners: int) -> None:
    conductor, site = conductor_of(tmp_path)
    with conductor:
        conductor.tick()
        for runner in [*site.runners.values()][:runners]:
            while len(runner.events.data) < 2.5 * AT_ONCE:
                runner.events.write("beat", rss=1, free=1, padding="x" * 10_000)
        conductor.crew.collector.collect()
        rows = conductor.ledger.db.execute("SELECT token, offset FROM job JOIN life ON job = id")
        assert {row["token"]: row["offset"] for row in rows} == {
            token: len(runner.events.data) for token, runner in site.runners.items()
        }


def test_what_no_mark_follows_is_not_asked_for_again_in_the_same_turn(tmp_path: Path) -> None:
    conductor, site = conductor_of(tmp_path)
    with conductor:
        conductor.tick()
        runner = next(iter(site.runners.values()))
        line = runner.batches[0].lines.popleft()
        runner.begin(line)
        products = {"product": ["out/0.txt", 1, "0" * 64, 0]}
        end = {"s": 1, "u": line["u"], "w": 1, "o": "ok", "wall": 1, "log": None, "products": products}
        for _ in range(AT_ONCE // 200):
            runner.events.write("end", **end)
        conductor.crew.collector.collect()  # the last start counts, the ends behind it do not
        site.questions.clear()
        conductor.crew.collector.collect()
        (offset,) = (
            row["offset"] for row in conductor.ledger.db.execute("SELECT max(offset) AS offset FROM life")
        )
        assert json.loads(runner.events.data[offset:].split(b"\n")[0])["e"] == "end"
        assert len(site.questions) <= 2


def test_what_all_wrote_is_looked_at_by_one_question_and_recorded_together(tmp_path: Path) -> None:
    conductor, site = conductor_of(tmp_path)
    with conductor:
        conductor.tick()
        for runner in site.runners.values():
            line = runner.batches[0].lines.popleft()
            runner.begin(line)
            runner.end(line, Outcome())
        statements = list[str]()
        conductor.ledger.db.set_trace_callback(statements.append)
        assert conductor.crew.collector.hearing.hear(site, heard_by(conductor)) == 4
        conductor.ledger.db.set_trace_callback(None)
        assert site.proofs == [4]
        assert statements.count("COMMIT") == 1


def heard_by(conductor: Conductor) -> dict[str, sqlite3.Row]:
    return {job["token"]: job for job in jobs.open_jobs(conductor.ledger.db)}

"""Groups that stay open by their level's condition while penstock keeps watching."""

from pathlib import Path

import pytest

from penstock.conductor import Conductor
from penstock.errors import DefinitionError
from penstock.ledger import Ledger
from penstock.testing import MadeCampaign, ManualClock, PretendSite, make_campaign

START = 1_600_000_000.0  # 2020-09-13 12:26:40 UTC
TOML = """
[campaign]
name = "nights"
levels = ["night", "run"]
[units]
files = "in/{night:%Y-%m-%d}/{run:03d}.txt"
complete = {COMPLETE}
[stage.make]
each = "run"
command = ["cp", "{path}", "{product}"]
products = "out/{night:%Y-%m-%d}/{run:03d}.txt"
[stage.merge]
each = "night"
after = ["make"]
command = ["cat", "{inputs.make}"]
"""


class Watched:
    """A campaign that `penstock tick` visits now and then."""

    def __init__(self, made: MadeCampaign) -> None:
        self.made, self.clock = made, ManualClock(now=START)
        self.site = PretendSite(made.root, clock=self.clock)

    def tick(self, *, later: float = 0.0) -> dict[str, str]:
        """Let time pass, and turn until nothing moves; return the states of the merges."""
        self.clock.turn(later)
        for _ in range(6):
            with Conductor(self.made.load(), command="tick", site=self.site, clock=self.clock) as conductor:
                conductor.tick()
        return self.made.states("merge")

    def why(self) -> str:
        sql = "SELECT t.why FROM task t JOIN stage s ON s.id = t.stage WHERE s.name = 'merge'"
        with Ledger.open(self.made.root, readonly=True) as ledger:
            return str(ledger.db.execute(sql).fetchone()[0])


def watched(folder: Path, complete: str, *files: str) -> Watched:
    text = TOML.replace("{COMPLETE}", f'{{ night = "{complete}" }}')
    return Watched(make_campaign(folder, text, files=dict.fromkeys(files, "x")))


NIGHT = '["2020-09-12T00:00:00Z"]'
ONE, TWO, THREE = (f"in/2020-09-12/00{n}.txt" for n in (1, 2, 3))


def test_a_night_is_open_until_the_next_morning(tmp_path: Path) -> None:
    campaign = watched(tmp_path, "not_before 14:00 next day", ONE)
    assert campaign.tick() == {NIGHT: "waiting"}
    assert campaign.why() == "group open, because it is not 2020-09-13 14:00 UTC yet"
    assert campaign.tick(later=2 * 3600) == {NIGHT: "done"}


def test_a_night_is_open_while_members_keep_coming(tmp_path: Path) -> None:
    campaign = watched(tmp_path, "quiet 30min", ONE)
    assert campaign.tick() == {NIGHT: "waiting"}
    campaign.made.write(TWO, "x")
    assert campaign.tick(later=29 * 60) == {NIGHT: "waiting"}
    assert campaign.tick(later=29 * 60) == {NIGHT: "waiting"}
    assert campaign.tick(later=2 * 60) == {NIGHT: "done"}


def test_a_night_is_open_until_its_file_is_there(tmp_path: Path) -> None:
    campaign = watched(tmp_path, "file {night:%Y%m%d}.done", ONE)
    assert campaign.tick() == {NIGHT: "waiting"}
    assert campaign.why() == "group open, because 20200912.done does not exist yet"
    campaign.made.write("20200912.done")
    assert campaign.tick() == {NIGHT: "done"}


def test_late_members_of_a_night_that_is_open_again_are_waited_for(tmp_path: Path) -> None:
    campaign = watched(tmp_path, "quiet 30min", ONE)
    assert campaign.tick(later=0.0) == {NIGHT: "waiting"}
    assert campaign.tick(later=31 * 60) == {NIGHT: "done"}
    campaign.made.write(TWO, "x")
    assert campaign.tick(later=60)[NIGHT] in ("done", "waiting")
    campaign.made.write(THREE, "x")
    assert campaign.tick(later=29 * 60)[NIGHT] in ("done", "waiting")
    campaign.tick(later=31 * 60)
    with Ledger.open(tmp_path, readonly=True) as ledger:
        sql = "SELECT count(*) FROM attempt a JOIN stage s ON s.id = a.stage WHERE s.name = 'merge'"
        assert ledger.db.execute(sql).fetchone()[0] == 2  # once for the first, once for both late ones


def test_a_run_takes_what_is_there_as_complete(tmp_path: Path) -> None:
    campaign = watched(tmp_path, "not_before 14:00 next day", ONE)
    assert campaign.made.run(site=campaign.site).code == 0
    assert campaign.made.states("merge") == {NIGHT: "done"}


def test_watching_groups_without_a_condition_is_a_definition_error(tmp_path: Path) -> None:
    text = TOML.replace("complete = {COMPLETE}\n", "")
    campaign = Watched(make_campaign(tmp_path, text, files={ONE: "x"}))
    line = 'complete = { night = "quiet 30min" }'
    with pytest.raises(DefinitionError, match="a stage at level 'night' needs") as said:
        campaign.tick()
    assert f"add {line} to [units]" in str(said.value)
    campaign.made.write("penstock.toml", text.replace("[stage.make]", f"{line}\n[stage.make]"))
    assert campaign.tick() == {NIGHT: "waiting"}
    assert campaign.tick(later=3600) == {NIGHT: "done"}, "that line is all that was missing"


ROWS = """
[campaign]
name = "rows"
levels = ["night", "run"]
[units]
table = "runs.csv"
types = { night = "datetime" }
[stage.make]
each = "run"
command = ["cp", "x", "{product}"]
products = "out/{night:%Y-%m-%d}/{run}.txt"
[stage.merge]
each = "night"
after = ["make"]
command = ["cat", "{inputs.make}"]
"""


def test_the_groups_of_a_table_are_whole_by_its_rows(tmp_path: Path) -> None:
    rows = "night,run\n2020-09-12,1\n2020-09-12,2\n"
    campaign = Watched(make_campaign(tmp_path, ROWS, files={"runs.csv": rows}))
    assert campaign.tick() == {NIGHT: "done"}
    campaign.made.write("runs.csv", f"{rows}2020-09-12,3\n")
    assert campaign.tick() == {NIGHT: "done"}
    with Ledger.open(tmp_path, readonly=True) as ledger:
        sql = "SELECT count(*) FROM attempt a JOIN stage s ON s.id = a.stage WHERE s.name = 'merge'"
        assert ledger.db.execute(sql).fetchone()[0] == 2, "a row that comes later is a late member"


def test_a_table_of_groups_does_not_make_the_files_under_them_whole(tmp_path: Path) -> None:
    text = TOML.replace("complete = {COMPLETE}\n", "[units.night]\ntable = 'nights.csv'\n")
    files = {ONE: "x", "nights.csv": "night,by\n2020-09-12,me\n"}
    campaign = Watched(make_campaign(tmp_path, text, files=files))
    with pytest.raises(DefinitionError, match="a stage at level 'night' needs"):
        campaign.tick()

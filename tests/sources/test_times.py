"""Folders tell by their time where something is new; what their time cannot tell is looked at nevertheless."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from penstock.campaign import Campaign
from penstock.sources import ScanState, Times, scan, times_of
from penstock.sources.times import GRAIN_S, YOUNG_S, leading_to

LONG_AGO = time.time() - 3600
NIGHTS = {"files": "in/{night}/raw/{run:d}.dat", "settle": "0s"}


class Scans:
    """Scans of one campaign, each some seconds after the one before, by one `Times`."""

    def __init__(self, campaign: Campaign) -> None:
        self.campaign, self.now = campaign, 0.0
        self.times = Times(f"{campaign.root}/")

    def all(self, seconds: float = 3.0, settle_at: float | None = None) -> set[str]:
        self.now += seconds
        self.times.widen(self.now, lambda device: time.time())
        return self.take()

    def changed(self, seconds: float = 3.0) -> set[str]:
        """Scan what changed; return the units that were found there."""
        self.now += seconds
        self.times.narrow(self.now, lambda device: time.time())
        return self.take()

    def take(self) -> set[str]:
        state = ScanState(time.time(), lambda device: time.time(), times=self.times)
        found = {
            "/".join(map(str, unit.key)) for unit in scan(self.campaign.sources[-1], self.campaign, state)
        }
        self.times.end(one.path for one in state.unsettled)
        self.state = state
        return found


def age(path: Path) -> None:
    os.utime(path, (LONG_AGO, LONG_AGO))


@pytest.fixture
def scans(tmp_path: Path, put: Callable[..., Path], campaign_of: Callable[..., Campaign]) -> Scans:
    """Two nights of two runs, in folders that did not change for an hour; all of it was scanned."""
    for night in "ab":
        for run in (1, 2):
            put(f"in/{night}/raw/{run}.dat")
    for folder in ("in/a/raw", "in/b/raw", "in/a", "in/b", "in"):
        age(tmp_path / folder)
    scans = Scans(campaign_of(NIGHTS, "night", "run"))
    assert scans.all() == {"a/1", "a/2", "b/1", "b/2"}
    return scans


def test_where_no_time_changed_nothing_is_looked_at(scans: Scans) -> None:
    assert scans.times.narrow(3.0, lambda device: None) == 0
    assert scans.changed() == set()


def test_a_new_file_has_its_folder_scanned_and_no_other(scans: Scans, put: Callable[..., Path]) -> None:
    put("in/b/raw/3.dat")
    assert scans.changed() == {"b/1", "b/2", "b/3"}


def test_a_removed_file_has_its_folder_scanned(scans: Scans, tmp_path: Path) -> None:
    (tmp_path / "in/a/raw/1.dat").unlink()
    assert scans.changed() == {"a/2"}
    assert "in/a/raw/" in (scans.times.due or ())


def test_a_new_folder_is_found_with_all_that_is_in_it(scans: Scans, put: Callable[..., Path]) -> None:
    put("in/c/raw/1.dat")
    assert scans.changed() == {"c/1"}


def test_a_folder_that_comes_later_below_a_known_one_is_found(
    scans: Scans, tmp_path: Path, put: Callable[..., Path]
) -> None:
    (tmp_path / "in/c").mkdir()
    assert scans.changed() == set()
    put("in/c/raw/1.dat")
    assert scans.changed(YOUNG_S + 1) == {"c/1"}


def test_a_folder_that_went_is_due_once_and_then_forgotten(scans: Scans, tmp_path: Path) -> None:
    (tmp_path / "in/a").rename(tmp_path / "elsewhere")
    assert scans.changed() == set()
    assert {"in/a/", "in/a/raw/", "in/"} <= (scans.times.due or set())
    assert "in/a/raw/" not in scans.times.marks


def test_another_folder_of_the_same_time_in_its_place_is_seen(scans: Scans, tmp_path: Path) -> None:
    was = (tmp_path / "in/a/raw").stat()
    (tmp_path / "in/a/raw").rename(tmp_path / "old")
    (tmp_path / "in/a/raw").mkdir()
    for folder in ("in/a/raw", "in/a"):
        os.utime(tmp_path / folder, ns=(was.st_mtime_ns, was.st_mtime_ns))
    scans.changed()
    assert "in/a/raw/" in (scans.times.due or ())


def test_a_folder_that_changed_just_before_it_was_read_is_read_again(
    scans: Scans, tmp_path: Path, put: Callable[..., Path], campaign_of: Callable[..., Campaign]
) -> None:
    put("in/b/raw/3.dat")
    stamp = (tmp_path / "in/b/raw").stat().st_mtime_ns
    young = Scans(scans.campaign)
    assert len(young.all()) == 5
    put("in/b/raw/4.dat")
    os.utime(tmp_path / "in/b/raw", ns=(stamp, stamp))  # a file system whose times are that coarse
    assert young.changed(GRAIN_S) == {"b/1", "b/2", "b/3", "b/4"}
    assert young.changed(GRAIN_S) == set()


def test_without_the_clock_of_the_server_every_time_proves_nothing_at_first(scans: Scans) -> None:
    fresh = Scans(scans.campaign)
    fresh.times.widen(0.0, lambda device: None)
    fresh.take()
    assert len(fresh.changed(GRAIN_S)) == 4
    assert fresh.changed() == set()


def test_what_changed_is_looked_at_again_for_a_while_since_files_are_written_in_place(
    scans: Scans, put: Callable[..., Path]
) -> None:
    put("in/b/raw/3.dat")
    scans.changed()
    assert scans.changed(YOUNG_S - 1) == {"b/1", "b/2", "b/3"}
    assert scans.changed(YOUNG_S) == {"b/1", "b/2", "b/3"}
    assert scans.changed() == set()


def test_a_folder_with_a_file_that_is_not_at_rest_is_looked_at_until_it_is(
    tmp_path: Path, put: Callable[..., Path], campaign_of: Callable[..., Campaign]
) -> None:
    put("in/a/raw/1.dat", mtime=time.time())
    for folder in ("in/a/raw", "in/a", "in"):
        age(tmp_path / folder)
    scans = Scans(campaign_of(NIGHTS | {"settle": "1h"}, "night", "run"))
    for _ in range(3):
        scans.all() if scans.now == 0 else scans.changed(YOUNG_S + 1)
        assert [one.key for one in scans.state.unsettled] == [("a", 1)]
    age(tmp_path / "in/a/raw/1.dat")
    assert scans.changed() == {"a/1"}
    assert scans.changed() == set()


def test_a_part_of_the_folders_has_no_digest_for_all(scans: Scans, put: Callable[..., Path]) -> None:
    assert scans.state.contents is not None
    put("in/b/raw/3.dat")
    scans.changed()
    assert scans.state.contents is None


@pytest.mark.parametrize(
    ("units", "levels"),
    [
        ({"files": "in/{night}/{part}.dat", "many": ["part"]}, ["night"]),
        ({"files": "in/{run}.dat", "companions": ["{path}.json"]}, ["run"]),
        ({"files": "in/{night}/{run}.dat"}, ["run"]),
    ],
)
def test_units_that_more_than_one_folder_decides_on_are_not_found_by_times(
    units: dict[str, str], levels: list[str], campaign_of: Callable[..., Campaign]
) -> None:
    campaign = campaign_of(units, *levels)
    assert times_of(campaign.sources[-1], campaign) is None


def test_the_way_to_a_folder_leads_through_all_above_it() -> None:
    assert leading_to({"in/a/raw/", "in/b/"}) == {"": {"in"}, "in/": {"a", "b"}, "in/a/": {"raw"}}
    assert leading_to({"/data/a/"}) == {"/data/": {"a"}, "/": {"data"}}

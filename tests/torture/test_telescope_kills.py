"""A telescope's night that is killed at random moments, from raw events to its seal: the same bytes, and one seal.

`PENSTOCK_KILLS` says how often (50 in full); each failure prints the seed, and `PENSTOCK_SEED` repeats it.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import h5py
import pytest
from tests.torture.test_kills import SEED, Torture, kept_of

from penstock.workflows.telescope.demo import make_night
from penstock.workflows.telescope.toy.simulator import Subrun, simulate

KILLS = int(os.environ.get("PENSTOCK_KILLS", "6"))
RUNS = ((1804, 1, "DRS4"), (1805, 1, "PEDCALIB"), (1807, 2, "DATA"), (1808, 1, "DATA"))
EVENTS = {"DRS4": 100, "PEDCALIB": 100, "DATA": 30}
BLOWS = {"conductor": 3, "runner": 4, "everybody": 3}
MADE = ("calibration", "dl1a", "dl1", "dl2", "muons", "datacheck", "nights")
# Each blow may hit the same task again, however small the chance: here retries must not run out.
RETRY = r"\g<0>\nretry = { lost = 100, error = 100, out_of_memory = 2 }"


class Night(Torture):
    """A campaign of one night in `root`, and the blows that it gets: no task alone, since steps of a closing have few retries."""

    blows_of = BLOWS

    def __init__(self, root: Path, kills: int) -> None:
        self.root, self.kills, self.random = root, kills, random.Random(SEED)
        self.blows, self.output = Counter[str](), root.with_suffix(".out")
        self.conductor: subprocess.Popen[bytes]

    def wait_for_work(self) -> None:
        """Spread the blows over the night: wait until as large a part of its tasks is done."""
        share = 0.95 * sum(self.blows.values()) / self.kills
        while self.goes_on() and self.done() < share:
            time.sleep(0.02)

    def failed(self) -> list[int]:
        """Return no unit: what failed is in the output."""
        return []

    def done(self) -> float:
        """Return which part of all tasks is done."""
        there = "SELECT count(*) FROM sqlite_master WHERE name = 'task'"
        if not (self.root / ".penstock/ledger.sqlite").exists() or self.rows(there) == [(0,)]:
            return 0.0
        [(done, every)] = self.rows("SELECT total(state = 'done'), count(*) FROM task")
        return done / max(1, every)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A night that is to be processed, and one that was."""
    folder = tmp_path_factory.mktemp("undisturbed")
    make_night(folder / "lst1", RUNS, events=EVENTS, trained_on=300)
    # run 1808: no ring, no flat field and no pedestal among its events
    simulate(folder / "lst1/R0/20200117/R0.Run01808.0000.h5", Subrun(1808, 0, events=8, mix={"gamma": 1}))
    definition = folder / "lst1/penstock.toml"
    text = definition.read_text().replace("retry = { out_of_memory = { times = 2, scale = 2 } }\n", "")
    definition.write_text(re.sub(r"(?m)^\[stage\..*\]$", RETRY, text))
    shutil.copytree(folder / "lst1", folder / "again/lst1")
    subprocess.run([sys.executable, "-m", "penstock", "run", "-q"], cwd=folder / "lst1", check=True)
    return folder


def made_in(root: Path) -> dict[str, bytes]:
    """Return all products of a night by their paths."""
    paths = (path for name in MADE for path in (root / name).rglob("*") if path.is_file())
    return {str(path.relative_to(root)): path.read_bytes() for path in paths}


def test_a_night_that_is_killed_ends_with_the_same_bytes_and_one_seal(undisturbed: Path) -> None:
    print(f"PENSTOCK_SEED={SEED} PENSTOCK_KILLS={KILLS}")
    night = Night(undisturbed / "again/lst1", KILLS)
    night.run()
    assert sum(night.blows.values()) == KILLS, night.story()
    whole, found = made_in(undisturbed / "lst1"), made_in(night.root)
    assert [name for name in {*whole, *found} if whole.get(name) != found.get(name)] == [], night.story()
    assert len(whole) > 30
    with h5py.File(night.root / "muons/20200117/muons.Run01808.h5") as file:
        assert file["events"].shape == (0,)
    seals = [path.name for path in (night.root / "closed/2020-01-17").iterdir()]
    assert sorted(seals) == ["NightFinished.json", "NightFinished.sha256"]
    seal = json.loads((night.root / "closed/2020-01-17/NightFinished.json").read_text())
    assert (seal["seal"], seal["previous"], seal["left_out"]) == (1, None, [])
    sealed = (
        "SELECT count(*) FROM attempt a JOIN stage s ON s.id = a.stage WHERE s.name = ? AND outcome = 'ok'"
    )
    counts = [night.rows(sealed.replace("?", f"'close.{level}.seal'")) for level in ("night", "run")]
    assert counts == [[(1,)], [(4,)]], night.story()
    assert {path.name for path in night.scratch.glob("*")} <= kept_of(night)

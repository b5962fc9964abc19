"""A closing that is killed with kill -9, at each boundary of its steps and at random, ends with the same bytes and one seal.

`PENSTOCK_KILLS` says how often at random. Each failure prints the seed: `PENSTOCK_SEED` repeats it.
"""

import os
import random
import secrets
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from tests.closing.conftest import TOML, Nights

from penstock.ledger import Ledger
from penstock.testing.campaigns import make_campaign

KILLS = int(os.environ.get("PENSTOCK_KILLS", "6"))
SEED = int(os.environ.get("PENSTOCK_SEED") or secrets.randbelow(10**6))
PATIENCE_S = 60.0
STEPS = ("close.night.verify", "sum", "close.night.seal")
RETRY = "retry = { lost = 100, error = 100 }\n[stage.split]"
WHOM = ("everybody", "conductor", "runner")


class Bench:
    """A campaign of which all is made and nothing closed, to be closed again and again in the same folder."""

    def __init__(self, folder: Path, toml: str = TOML, places: tuple[str, ...] = ("seals", "sums")) -> None:
        self.places = places
        head, closing = toml.replace("[stage.split]", RETRY).split("[close.night]")
        files = {f"data/2020-01-{day}/{name}.txt": f"{day}{name}" for day in (17, 18) for name in "abc"}
        self.nights = Nights(make_campaign(folder / "nights", head.split("[stage.sum]")[0], files))
        self.root, self.saved = folder / "nights", folder / "saved"
        assert self.nights.run().code == 0
        (self.root / "penstock.toml").write_text(f"{head}[close.night]{closing}")
        shutil.copytree(self.root, self.saved)
        assert self.command().wait() == 0
        self.whole = self.made()

    def command(self) -> subprocess.Popen[bytes]:
        """Start the command that is the same each time."""
        return subprocess.Popen(
            [sys.executable, "-m", "penstock", "run"], cwd=self.root, stdout=subprocess.DEVNULL
        )

    def reset(self) -> None:
        shutil.rmtree(self.root)
        shutil.copytree(self.saved, self.root)

    def made(self) -> dict[str, bytes]:
        """Return all that the closing made."""
        places = [path for name in self.places for path in (self.root / name).rglob("*")]
        return {str(path.relative_to(self.root)): path.read_bytes() for path in places if path.is_file()}

    def strike(self, whom: str, when: Callable[[], bool]) -> bool:
        """Start the closing and kill when it is time; return whether it was still at work."""
        process = psutil.Process(self.command().pid)
        until = time.monotonic() + PATIENCE_S
        while not when():
            assert time.monotonic() < until, "the moment did not come"
            if process.status() == psutil.STATUS_ZOMBIE:
                break
            time.sleep(0.002)
        runners = process.children(recursive=True)
        struck = {"conductor": [process], "runner": runners, "everybody": [process, *runners]}[whom]
        for one in struck:
            with suppress(psutil.NoSuchProcess):
                one.kill()
        psutil.wait_procs([process, *runners] if whom != "conductor" else [process], timeout=PATIENCE_S)
        return bool(runners)

    def check(self) -> None:
        """Go on with the same command, and compare with what was made without a kill."""
        assert self.command().wait() == 0
        assert self.made() == self.whole
        with Ledger.open(self.root, readonly=True) as ledger:
            seals = "SELECT count(*) FROM history WHERE what = 'closed' GROUP BY unit"
            assert [row[0] for row in ledger.db.execute(seals)] == [1, 1]

    def has_come(self, stage: str, state: str) -> bool:
        """Whether a task of a stage came so far."""
        order = ("waiting", "ready", "queued", "running", "done")
        sql = "SELECT t.state FROM task t JOIN stage s ON s.id = t.stage WHERE s.name = ?"
        try:
            with Ledger.open(self.root, readonly=True) as ledger:
                states = [row[0] for row in ledger.db.execute(sql, (stage,))]
        except sqlite3.OperationalError:
            return False
        return any(order.index(one) >= order.index(state) for one in states if one in order)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    print(f"PENSTOCK_SEED={SEED} PENSTOCK_KILLS={KILLS}")
    return Bench(tmp_path_factory.mktemp("closing"))


@pytest.mark.parametrize("state", ["queued", "running", "done"])
@pytest.mark.parametrize("step", STEPS)
def test_a_kill_at_a_boundary_of_its_steps_changes_nothing(bench: Bench, step: str, state: str) -> None:
    bench.reset()
    bench.strike("everybody", lambda: bench.has_come(step, state))
    bench.check()


def test_kills_at_random_moments_change_nothing(bench: Bench) -> None:
    chance = random.Random(SEED)
    bench.reset()
    begun = time.monotonic()
    assert bench.command().wait() == 0
    took = time.monotonic() - begun
    for _ in range(KILLS):
        bench.reset()
        for _ in range(chance.choice((1, 1, 2, 3))):
            until = time.monotonic() + chance.uniform(0.0, took)
            bench.strike(chance.choice(WHOM), lambda until=until: time.monotonic() > until)
        bench.check()

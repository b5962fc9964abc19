from pathlib import Path

import pytest

from penstock.testing import Outcome, make_campaign
from penstock.testing.campaigns import MadeCampaign

DEFINITION = """
[campaign]
name = "winter"
levels = ["night", "run"]
[units]
files = "raw/{night}/{run:05d}_{kind}.txt"
settle = "0s"
[stage.fit]
each = "run"
python = "steps:fit"
products = "fits/{night}/{run:05d}.json"
retry = { error = { times = 0 } }
[stage.merge]
each = "night"
after = ["fit"]
command = ["cat", "{inputs.fit}"]
products = "nights/{night}.txt"
"""
FILES = {
    f"raw/2020-01-1{night}/0000{run}_{'DATA' if run < 3 else 'DARK'}.txt": "x"
    for night in "78"
    for run in (1, 2, 3)
}


def rule(run: object) -> Outcome:
    """The second run of the 18th fails; each fit returns the number of its run."""
    if run.key == "2020-01-18/00002":
        return Outcome("error", why="lamp off")
    number = int(run.key[-1]) if run.stage == "fit" else None
    return Outcome(seconds=2.0, result={"number": number} if number else None, contents={"product": b"made"})


@pytest.fixture
def winter(tmp_path: Path) -> MadeCampaign:
    """Two nights of three runs, before anything was done."""
    return make_campaign(tmp_path / "winter", DEFINITION, {**FILES, "steps.py": "def fit(task): pass\n"})


@pytest.fixture
def ran(winter: MadeCampaign) -> MadeCampaign:
    """The same, run with one failure."""
    winter.run(rule)
    return winter

from pathlib import Path

import pytest

from penstock.ledger import Ledger
from penstock.provenance import Wanted, trace
from penstock.provenance.reading import Facts
from penstock.testing import Outcome, make_campaign
from penstock.testing.campaigns import MadeCampaign

DEFINITION = """
[campaign]
name = "telescope"
levels = ["night", "run", "subrun"]
[units]
files = "raw/{night}/{run:05d}/{subrun:04d}.txt"
settle = "0s"
[stage.pedestal]
each = "night"
command = ["cat", "--night", "{night}", "{product}"]
products = "calib/{night}.h5"
[stage.dl1]
each = "subrun"
after = ["pedestal"]
command = ["cat", "{path}", "--calib", "{inputs.pedestal}", "--token", "hunter2", "{product}", "{product.muons}"]
products = { product = "dl1/{night}/{run:05d}.{subrun:04d}.h5", muons = "muons/{night}/{run:05d}.{subrun:04d}.csv" }
params = { picture = 8, boundary = 4 }
needs = ["config/cleaning.json"]
retry = { error = { times = 1 } }
[stage.merge]
each = "run"
after = [{ stage = "dl1", products = ["product"] }]
command = ["cat", "{inputs_file.dl1}", "{product}"]
products = "merged/{night}/{run:05d}.h5"
[stage.page]
each = "night"
after = ["merge"]
command = ["cat", "{inputs.merge}", "{product}"]
products = "pages/{night}/"
"""
NIGHT = "2020-01-17"
RUN = f"{NIGHT}/01807"


def files_of(runs: dict[int, int]) -> dict[str, str]:
    """Return the raw files of a night: run → how many subruns."""
    return {
        f"raw/{NIGHT}/{run:05d}/{subrun:04d}.txt": f"{run} {subrun}"
        for run, subruns in runs.items()
        for subrun in range(subruns)
    }


def rule(run: object) -> Outcome:
    """Every third subrun fails once."""
    if run.stage == "dl1" and int(run.key[-4:]) % 3 == 0 and run.number == 1:
        return Outcome("error", code=1, seconds=1.0, why="lamp off: password=hunter2")
    return Outcome(seconds=2.0)


def observe(folder: Path, runs: dict[int, int], definition: str = DEFINITION) -> MadeCampaign:
    """Make a campaign of one night, and run it."""
    made = make_campaign(folder, definition, {**files_of(runs), "config/cleaning.json": "{}"})
    made.run(rule)
    return made


@pytest.fixture(scope="session")
def night(tmp_path_factory: pytest.TempPathFactory) -> MadeCampaign:
    """A night of two runs, of 11 and 9 subruns; not to be changed."""
    return observe(tmp_path_factory.mktemp("night") / "telescope", {1807: 11, 1808: 9})


@pytest.fixture
def ledger(night: MadeCampaign):
    with Ledger.open(night.root, readonly=True) as opened:
        yield opened


def unit_of(ledger: Ledger, name: str) -> int:
    from penstock.explain import find_units

    (unit,) = find_units(ledger, name)
    return unit


@pytest.fixture
def traced(ledger):
    """Returns the provenance of a unit: `traced(RUN, steps=True)`."""
    return lambda name, **wanted: trace(ledger, unit_of(ledger, name), Wanted(**wanted))


@pytest.fixture
def facts(ledger) -> Facts:
    return Facts(ledger)

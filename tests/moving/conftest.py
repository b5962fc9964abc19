"""The campaign of two nights, whose closing moves its products to final folders."""

import json
import shutil
from pathlib import Path

import pytest
from tests.closing.conftest import NIGHT as NIGHT
from tests.closing.conftest import TOML, Nights

from penstock.ledger import Ledger
from penstock.testing.campaigns import MadeCampaign, make_campaign

STEPS = '{ merge = "sum" }, { move = "final" }, "seal"]'
MOVE = """
[move.final]
to = "final"
files = ["sum", { stage = "copy", to = "dl1/{night}/" }, { stage = "split", to = "parts/{night}-{file}" }]
"""
MOVING = TOML.replace('{ merge = "sum" }, "seal"]', STEPS) + MOVE
FILES = {f"data/2020-01-{day}/{name}.txt": f"{day}{name}" for day in (17, 18) for name in "abc"}


class Moving(Nights):
    """The campaign, and what a test asks of it."""

    def define(self, old: str, new: str) -> None:
        text = (self.root / "penstock.toml").read_text()
        assert old in text
        (self.root / "penstock.toml").write_text(text.replace(old, new))

    def rows(self, sql: str, *given: object) -> list[tuple[object, ...]]:
        with Ledger.open(self.root, readonly=True) as ledger:
            return [tuple(row) for row in ledger.db.execute(sql, given)]

    def states(self, step: str = "move") -> dict[object, tuple[object, object]]:
        """Return state and reason of a step by night."""
        sql = (
            "SELECT u.key, t.state, t.why FROM task t JOIN stage s ON s.id = t.stage JOIN unit u ON u.id = t.unit"
            " WHERE s.name = ?"
        )
        return {
            json.loads(str(key))[0]: (state, why)
            for key, state, why in self.rows(sql, f"close.night.{step}-final")
        }

    def paths(self) -> set[object]:
        """Return where the record has products."""
        return {row[0] for row in self.rows("SELECT path FROM product WHERE digest IS NOT NULL")}


def tree(folder: Path) -> dict[str, bytes]:
    """Return all files in a folder by name."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def without_record(root: Path) -> None:
    """Lose the record of a campaign."""
    for file in (root / ".penstock").glob("ledger.sqlite*"):
        file.unlink()


@pytest.fixture
def moving(tmp_path: Path) -> Moving:
    return Moving(make_campaign(tmp_path / "nights", MOVING, FILES))


def make_all_but_close(folder: Path, files: dict[str, str]) -> Path:
    """Make a campaign with all its products that nothing has closed yet."""
    head, closing = MOVING.split("[close.night]")
    campaign = Moving(make_campaign(folder / "nights", head, files))
    assert campaign.run().code == 0
    (campaign.root / "penstock.toml").write_text(f"{head}[close.night]{closing}")
    return campaign.root


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The campaign with all its products, before anything closes it; not to be changed."""
    return make_all_but_close(tmp_path_factory.mktemp("made"), FILES)


@pytest.fixture(scope="session")
def closed_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The campaign after it was closed; not to be changed."""
    made = Moving(make_campaign(tmp_path_factory.mktemp("once") / "nights", MOVING, FILES))
    assert made.run().code == 0
    return made.root


@pytest.fixture
def closed(closed_once: Path, tmp_path: Path) -> Moving:
    """The campaign after it was closed."""
    shutil.copytree(closed_once, tmp_path / "nights", symlinks=True)
    return Moving(MadeCampaign(tmp_path / "nights"))

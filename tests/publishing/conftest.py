"""A campaign of two nights whose products are published, with a folder of odd names among them."""

from pathlib import Path

import pytest

# the server and the way to it
from tests.transports.conftest import server, session_state, ssh  # noqa: F401

from penstock.campaign import Campaign
from penstock.conductor import Conductor
from penstock.config import load
from penstock.ledger import Ledger
from penstock.publishing import Published, publish_parts, wanted
from penstock.testing.campaigns import MadeCampaign, make_campaign

ODD = ["<script>alert(1)</script>", "a\"b'c&d", "javascript:alert(1)", "new\nline", "ü %2F #x?y"]
TOML = """
[campaign]
name = "sky"
levels = ["night", "run"]
[units]
files = "raw/{night}/{run}.txt"
settle = "0s"
[stage.copy]
each = "run"
command = ["cp", "{path}", "{product}"]
products = "copies/{night}/{run}.txt"
[stage.parts]
each = "run"
after = "copy"
command = ["sh", "-c", "mkdir $1; cp $0 $1/one; ln -s one $1/two", "{inputs.copy}", "{product}"]
products = { product = { path = "parts/{night}/{run}", folder = true } }
[stage.sum]
each = "night"
after = "copy"
command = ["sh", "-c", "xargs cat < $0 > $1", "{inputs_file.copy}", "{product}"]
products = "sums/{night}.txt"
[publish.web]
to = "public"
files = ["sum", { stage = "copy", to = "dl1/{night}/" }, { stage = "parts", to = "parts/{night}-{run}" }]
"""
NIGHTS = ("2020-01-17", "2020-01-18")


class Sky:
    """The campaign, and what a test does with it."""

    def __init__(self, made: MadeCampaign) -> None:
        self.made, self.root, self.public = made, made.root, made.root / "public"

    def run(self, *, stale: bool = False) -> int:
        with Conductor(load(self.root), command="run") as conductor:
            return conductor.run(stale=stale).code

    def define(self, old: str, new: str) -> None:
        text = (self.root / "penstock.toml").read_text()
        assert old in text
        (self.root / "penstock.toml").write_text(text.replace(old, new))

    def load(self) -> Campaign:
        return load(self.root)

    def publish(self, name: str = "web", unit: str = "[]", *, dry: bool = False) -> list[Published]:
        campaign = self.load()
        with Ledger.open(self.root, readonly=True) as ledger:
            groups = [ledger.db.execute("SELECT id FROM unit WHERE key = ?", (unit,)).fetchone()[0]]
            parts = wanted(ledger, campaign, campaign.publish[name], groups)
        return [*publish_parts(campaign, campaign.publish[name], parts, dry=dry)]


def tree(folder: Path) -> dict[str, bytes]:
    """Return all files in a folder by name."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def make_sky(folder: Path) -> Sky:
    files = {f"raw/{night}/{run}.txt": f"{night}{run}" for night in NIGHTS for run in "ab"}
    return Sky(make_campaign(folder, TOML, files))


@pytest.fixture
def sky(tmp_path: Path) -> Sky:
    return make_sky(tmp_path / "sky")


@pytest.fixture(scope="session")
def run_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The campaign after a run; not to be changed."""
    made = make_sky(tmp_path_factory.mktemp("once") / "sky")
    assert made.run() == 0
    return made.root


@pytest.fixture
def done(run_once: Path, tmp_path: Path) -> Sky:
    """The campaign after a run."""
    import shutil

    shutil.copytree(run_once, tmp_path / "sky", symlinks=True)
    return Sky(MadeCampaign(tmp_path / "sky"))

"""A campaign of two nights with a closing, as real runners do it."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from penstock.conductor import Conductor, Ending
from penstock.config import load
from penstock.ledger import Ledger
from penstock.ledger.requests import ask
from penstock.testing.campaigns import MadeCampaign, make_campaign

TOML = f"""
[campaign]
name = "nights"
levels = ["night", "file"]
[units]
files = "data/{{night}}/{{file}}.txt"
[stage.copy]
each = "file"
command = ["cp", "{{path}}", "{{product}}"]
products = "copies/{{night}}/{{file}}.txt"
[stage.split]
each = "file"
after = "copy"
command = ["sh", "-c", "mkdir $1; cp $0 $1/one; cp $0 $1/two", "{{inputs.copy}}", "{{product.parts}}"]
products = {{ parts = {{ path = "parts/{{night}}/{{file}}", folder = true }} }}
[stage.sum]
each = "night"
after = "copy"
command = ["{sys.executable}", "-c", "import sys; open(sys.argv[2], 'w').write(str(len(open(sys.argv[1]).readlines())))",
           "{{inputs_file.copy}}", "{{product}}"]
products = "sums/{{night}}.txt"
[close.night]
steps = ["verify", {{ merge = "sum" }}, "seal"]
"""
NIGHT = "2020-01-17"


class Nights:
    """The campaign, and what a test asks of it."""

    def __init__(self, made: MadeCampaign) -> None:
        self.made, self.root = made, made.root

    def run(self, *, stale: bool = False) -> Ending:
        with Conductor(load(self.root), command="run") as conductor:
            return conductor.run(stale=stale)

    def unit(self, key: str) -> int:
        with Ledger.open(self.root, readonly=True) as ledger:
            return ledger.db.execute("SELECT id FROM unit WHERE key = ?", (key,)).fetchone()[0]

    def ask(self, action: str, key: str = f'["{NIGHT}"]', **more: Any) -> str:
        return ask(self.root, action, {"unit": self.unit(key), **more}, "me@here")

    def seal(self, name: str = NIGHT) -> dict[str, Any]:
        return json.loads((self.root / f"seals/night/{name}.json").read_bytes())

    def files(self) -> dict[str, bytes]:
        """Return all seals and lists, by name."""
        return {path.name: path.read_bytes() for path in (self.root / "seals/night").iterdir()}


@pytest.fixture
def nights(tmp_path: Path) -> Nights:
    files = {f"data/2020-01-{day}/{name}.txt": f"{day}{name}" for day in (17, 18) for name in "abc"}
    return Nights(make_campaign(tmp_path / "nights", TOML, files))

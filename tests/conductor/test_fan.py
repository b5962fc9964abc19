"""`{fan}` in products: at every level, in chains, and read by those that come after."""

from pathlib import Path

import pytest

from penstock.errors import DefinitionError
from penstock.testing import make_campaign
from penstock.units import fan

TOML = """
[campaign]
name = "spread"
levels = ["night", "run"]
[units]
files = "in/{night}_{run:03d}.txt"
[stage.one]
each = "run"
command = ["cp", "{path}", "{product}"]
products = "one/{fan}/{night}_{run:03d}.txt"
[stage.two]
each = "run"
with = "one"
command = ["cp", "{inputs.one}", "{product}"]
products = "two/{fan}_{night}/{run}.txt"
[stage.all]
each = "night"
after = ["two"]
command = ["sh", "-c", "cat \\"$@\\" > \\"$0\\"", "{product}", "{inputs.two}"]
products = "all/{fan}/{night}.txt"
"""


def test_each_unit_has_its_folder_by_its_own_key_and_readers_find_it(lab) -> None:
    runs = [("a", 1), ("a", 2), ("b", 1)]
    make_campaign(
        lab.root,
        TOML,
        {f"in/{n}_{r:03d}.txt": f"{n}{r}" for n, r in runs},
    )
    assert lab.run().code == 0
    for night, run in runs:
        assert lab.read(f"one/{fan((night, run))}/{night}_{run:03d}.txt") == f"{night}{run}"
        assert lab.read(f"two/{fan((night, run))}_{night}/{run}.txt") == f"{night}{run}"
    assert lab.read(f"all/{fan(('a',))}/a.txt") == "a1a2"
    assert lab.read(f"all/{fan(('b',))}/b.txt") == "b1"


def test_the_key_must_still_stand_in_the_path(tmp_path: Path) -> None:
    files = {f"in/{night}_001.txt": "" for night in range(300)}
    made = make_campaign(tmp_path, TOML.replace("{fan}/{night}_{run:03d}.txt", "{fan}/{run}.txt"), files)
    with pytest.raises(DefinitionError, match="two tasks would write the same product"):
        made.run()

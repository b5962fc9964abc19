"""Full disks at both ends of a way: one sentence, nothing lost, and the same command goes on when there is room."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.desk import Desk
from tests.far.lab import Lab

SIZE = 3_000_000
STAGES = f"""
[stage.make]
each = "unit"
command = ["sh", "-c", "head -c {SIZE} $0 > $1", "{{path}}", "{{product}}"]
products = "made/{{unit}}.dat"
batch = 1
"""


@pytest.mark.parametrize(
    ("small", "room"), [("far", 2), ("far", 5), ("lab/made", 2)], ids=["inputs", "products", "home"]
)
def test_a_full_disk_costs_nothing_but_time(
    lab: Lab, desk: Desk, tmp_path: Path, mount: Callable[[Path, str], Path], small: str, room: int
) -> None:
    lab.define(
        STAGES, units=0, site=f'cores = 1\nworkdir = "{tmp_path}/far"\n', source='files = "raw/{unit}.dat"'
    )
    (lab.root / "raw").mkdir()
    for unit in range(2):
        (lab.root / f"raw/{unit}.dat").write_bytes(bytes([unit]) * SIZE)
    folder = mount(tmp_path / small, f"size={room}m,mode=700")
    lab.login()
    stopped = lab.penstock("run")
    assert stopped.returncode == 1, stopped.stdout + stopped.stderr
    assert "No space left on device" in (said := stopped.stdout + stopped.stderr) or "is full" in said
    assert "fault of penstock" not in said
    mount(folder, "size=50m,mode=700")
    done = lab.penstock("run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert [(lab.root / f"made/{unit}.dat").read_bytes() for unit in range(2)] == [
        bytes([unit]) * SIZE for unit in range(2)
    ]
    assert "ok" in lab.outcomes()
    assert "error" not in lab.outcomes()
    assert [*(tmp_path / "far").rglob("*")] == []

"""One campaign, copied to a second laptop: only one of them works at a far site, and the other does no harm there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.desk import Desk
from tests.far.lab import Lab, new_state
from tests.until import until

SLOW = """
[stage.count]
each = "unit"
command = ["sh", "-c", "[ $0 -le 2 ] || until [ -e $2 ]; do sleep 0.1; done; echo $0 > $1", "{unit}", "{product}", "GATE"]
products = "count/{unit}.txt"
batch = 2
"""
UNITS = 9
#: another machine-id(5), and the copy in the place of the folder: a laptop has these to itself
AS_SECOND = 'mount --bind "$1" /etc/machine-id; mount --bind "$2" "$3"; cd "$3"; shift 3; exec "$@"'


class Second(Lab):
    """The second laptop: the same paths, another machine, and the copy of the campaign that it has."""

    def __init__(self, first: Lab, copy: Path) -> None:
        super().__init__(copy, first.config, new_state())
        self.place, self.machine = first.root, copy.with_name("machine-id")
        self.machine.write_text("5ec0" * 8 + "\n")
        shutil.copytree(first.root, copy)

    def penstock(self, *words: str) -> subprocess.CompletedProcess[str]:
        where = map(str, (self.machine, self.root, self.place))
        command = [
            "unshare",
            "--mount",
            "sh",
            "-ec",
            AS_SECOND,
            "sh",
            *where,
            sys.executable,
            "-m",
            "penstock",
            *words,
        ]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount another machine-id")
def test_who_took_over_goes_on_and_the_other_laptop_stops_with_a_sentence(
    lab: Lab, desk: Desk, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    lab.define(SLOW.replace("GATE", str(gate)), units=UNITS, site=f'cores = 1\nworkdir = "{tmp_path}/far"\n')
    lab.login()
    assert lab.penstock("run", "1").returncode == 0
    second = Second(lab, tmp_path / "copy")
    try:
        first = lab.start()
        until(lambda: [*(lab.root / "count").glob("2.txt")], "the first laptop works there")
        refused = second.penstock("site", "login", "far"), second.penstock("run")
        assert [done.returncode for done in refused] == [0, 4], refused[1].stderr
        assert "belongs to the same campaign on" in refused[1].stderr
        taken = second.penstock("site", "login", "far", "--take-over")
        assert taken.returncode == 0, taken.stderr
        assert first.wait(60) == 4, lab.said()
        assert "--take-over" in lab.said()
        gate.touch()
        assert lab.start().wait(60) == 4, lab.said()
        done = second.penstock("run")
        assert done.returncode == 0, done.stdout + done.stderr
        assert sorted(int(p.stem) for p in (second.root / "count").iterdir()) == [*range(1, UNITS + 1)]
        assert second.outcomes() == {"ok": UNITS}
    finally:
        second.end()
    until(lambda: not desk.living(), "nothing is left there")
    assert [*(tmp_path / "far").rglob("*")] == []

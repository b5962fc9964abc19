"""Full disks and folders that cannot be written: one clear sentence, nothing lost, and the same command continues."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

STAGE = """
[stage.a]
each = "unit"
command = ["sh", "-c", "head -c 100000 /dev/zero > $0 && echo $1 >> /proc/self/fd/1", "{product}", "{unit}"]
products = "out/{unit}"
[stage.b]
each = "unit"
after = "a"
command = ["sh", "-c", "wc -c < $1 > $0", "{product}", "{inputs.a}"]
products = "small/{unit}"
"""


def test_a_full_disk_under_the_products_stops_the_stage_and_nothing_is_lost(lab, mount):
    lab.define(STAGE, units=50)
    mount(lab.root / "out", "size=3m")
    ending = lab.run()
    assert ending.code == 1
    assert any("stage 'a' stopped: the disk of" in line and "is full" in line for line in ending.lines)
    assert lab.states("a").keys() <= {"done", "ready"}
    mount(lab.root / "out", "size=20m")
    assert lab.run().code == 0
    assert {path.stat().st_size for path in (lab.root / "out").iterdir()} == {100_000}
    assert (
        lab.rows(
            "SELECT max(n) FROM (SELECT count(*) AS n FROM attempt WHERE outcome = 'ok' GROUP BY stage, unit)"
        )[0][0]
        == 1
    )


def test_a_disk_that_stays_full_may_be_tried_as_often_as_one_likes(lab, mount):
    lab.define(STAGE, units=40)
    mount(lab.root / "out", "size=3m")
    for _ in range(7):
        assert lab.run().code == 1
        assert "failed" not in lab.states("a")
    mount(lab.root / "out", "size=20m")
    assert lab.run().code == 0


def test_a_product_folder_that_cannot_be_written_stops_its_stage_alone(lab, mount):
    other = '\n[stage.other]\neach = "unit"\ncommand = ["touch", "{product}"]\nproducts = "other/{unit}"\n'
    lab.define(STAGE + other, units=6)
    mount(lab.root / "out", "size=5m,ro")
    ending = lab.run()
    assert ending.code == 1
    assert any("stage 'a' stopped:" in line and "read-only" in line for line in ending.lines)
    mount(lab.root / "out", "size=5m,rw")
    assert lab.run().code == 0
    assert (lab.states("a"), lab.states("b"), lab.states("other")) == ({"done": 6}, {"done": 6}, {"done": 6})


def test_a_ledger_without_room_ends_the_command_with_one_sentence(lab, mount):
    mount(lab.root, "size=1m")
    lab.define(STAGE.replace("100000", "1000"), units=20)
    (lab.root / "big").write_bytes(bytes(free(lab.root)))
    done = lab.command("run")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "ledger.sqlite: the ledger cannot be written" in done.stderr
    assert "free space on its disk" in done.stderr
    (lab.root / "big").unlink()
    mount(lab.root, "size=10m")
    assert lab.command("run").returncode == 0
    assert lab.states("b") == {"done": 20}


@pytest.mark.parametrize("blocks", [20, 200])
def test_a_ledger_over_the_shell_s_limit_on_files_ends_with_the_limit_to_raise(lab, blocks):
    lab.define('[stage.a]\neach = "unit"\ncommand = ["touch", "{product}"]\nproducts = "a/{unit}"\n', units=6)
    script = f"ulimit -f {blocks}; exec {sys.executable} -m penstock run"
    done = subprocess.run(
        ["/bin/sh", "-c", script], check=False, cwd=lab.root, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "the ledger cannot be written" in done.stderr
    assert "(`ulimit -f unlimited`)" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert lab.command("run").returncode == 0


def test_a_disk_that_fills_up_while_everything_runs_loses_nothing(lab, mount):
    mount(lab.root, "size=8m")
    filling = STAGE.replace("100000", "1000").replace(
        "> $0", "> $0 && ([ $1 != u30 -o -e was ] || (touch was; cat /dev/zero > big))", 1
    )
    lab.define(filling, units=60)
    done = lab.command("run")
    assert done.returncode == 1
    assert not {"Traceback", "fault"} & set(done.stderr.split())
    (lab.root / "big").unlink()
    assert lab.command("run").returncode == 0
    assert (lab.states("a"), lab.states("b")) == ({"done": 60}, {"done": 60})
    assert {path.stat().st_size for path in (lab.root / "out").iterdir()} == {1000}


def free(folder: Path) -> int:
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize

"""A machine without a scheduler that is reached by SSH is a cluster like any other."""

from pathlib import Path

import pytest
from tests.desk import Desk
from tests.far.lab import NEEDED, Lab
from tests.sshd import Sshd
from tests.until import until

from penstock.ledger.reading.queuestate import SILENT_S

SLOW = """
[stage.count]
each = "unit"
command = ["sh", "-c", "echo $0 >> ~/begun; sleep 0.3; echo $0 > $1", "{unit}", "{product}"]
products = "count/{unit}.txt"
batch = 3

[stage.all]
each = "campaign"
after = "count"
command = ["sh", "-c", 'while read -r p; do cat "$p"; done < $0 | sort -n > $1', "{inputs_file.count}", "{product}"]
products = "all.txt"
"""


@pytest.fixture
def slow(lab: Lab, tmp_path: Path) -> Lab:
    return lab.define(SLOW, units=20, site=f'cores = 2\nworkdir = "{tmp_path}/far"\n')


def test_a_campaign_runs_there_and_a_lost_connection_costs_a_login(
    slow: Lab, desk: Desk, server: Sshd
) -> None:
    slow.login()
    conductor = slow.start()
    until(lambda: [*(slow.root / "count").glob("*.txt")], "the first are done")
    slow.cut()
    until(lambda: NEEDED in slow.said(), "it says what it needs")
    slow.login()
    assert conductor.wait(120) == 0, slow.said()
    assert slow.states() == {"done": 21}
    assert slow.outcomes() == {"ok": 21}
    assert sorted(map(int, (server.there / "begun").read_text().split())) == [*range(1, 21)], (
        "nothing ran twice"
    )
    assert (slow.root / "all.txt").read_text().split() == [str(n) for n in range(1, 21)]
    assert server.logins() == (2, 0)
    until(lambda: not desk.supervisors() and not desk.living(), "nothing is left there")


def test_the_site_is_tested_and_shown_as_others_are(slow: Lab, desk: Desk, tmp_path: Path) -> None:
    slow.login()
    tested = slow.penstock("site", "test", "far")
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert tested.stdout.startswith("far: local on ")
    assert "all is well" in tested.stdout
    assert not (tmp_path / "far").exists() or not [*(tmp_path / "far").iterdir()]
    planned = slow.penstock("plan")
    assert "  $ python3 -I -S -c … " in planned.stdout, planned.stdout + planned.stderr
    assert max(map(len, planned.stdout.splitlines())) < 1000


def test_a_runner_that_vanished_is_noticed_long_before_it_would_be_at_a_cluster(
    slow: Lab, server: Sshd
) -> None:
    once = "if ! test -e ~/killed; then touch ~/killed; kill -9 $PPID; sleep 60; fi; echo $0 > $1"
    (slow.root / "penstock.toml").write_text(
        (slow.root / "penstock.toml").read_text().replace("echo $0 >> ~/begun; sleep 0.3; echo $0 > $1", once)
    )
    slow.login()
    assert slow.start().wait(SILENT_S - 30) == 0, slow.said()
    assert (server.there / "killed").exists()
    assert slow.states() == {"done": 21}


def test_what_a_person_cancels_ends_there(slow: Lab, desk: Desk, server: Sshd) -> None:
    (slow.root / "penstock.toml").write_text(
        (slow.root / "penstock.toml").read_text().replace("sleep 0.3", "sleep 60")
    )
    slow.login()
    conductor = slow.start()
    until(lambda: (server.there / "begun").exists(), "the first run")
    assert slow.penstock("cancel", "--all").returncode == 0
    assert conductor.wait(120) == 1, slow.said()
    until(lambda: not desk.living(), "nothing is left there")
    assert set(slow.states()) <= {"failed", "blocked"}


def test_a_task_that_is_too_large_for_it_pauses_its_stage_with_what_there_is(slow: Lab) -> None:
    with (slow.root / "penstock.toml").open("a") as file:
        file.write('[stage.large]\neach = "unit"\ncommand = ["true"]\nresources = { cpus = 50 }\n')
    slow.login()
    assert slow.start("run", "--stage", "large").wait(60) == 1
    assert "(2 cores and" in slow.said() or "(1 core and" in slow.said(), slow.said()


COMPANIONS = """
[stage.join]
each = "unit"
command = ["sh", "-c", 'd=$(dirname "$0"); cat $d/*.dat $d/*.hdr $d/../tables/all.txt > "$1"', "{path}", "{product}"]
products = "join/{unit}.txt"
"""
FILES = """
files = "raw/{unit}.dat"
settle = "0s"
companions = ["raw/{unit}.hdr", "tables/all.txt"]
"""


def test_companions_are_beside_the_copy_of_their_file_there(lab: Lab, tmp_path: Path) -> None:
    lab.define(COMPANIONS, units=0, site=f'workdir = "{tmp_path}/far"\nshared_files = false\n', source=FILES)
    for name in ("raw/a.dat", "raw/a.hdr", "raw/b.dat", "raw/b.hdr", "tables/all.txt"):
        (lab.root / name).parent.mkdir(exist_ok=True)
        (lab.root / name).write_text(f"{name}\n")
    lab.login()
    assert lab.start().wait(60) == 0, lab.said()
    assert (lab.root / "join/b.txt").read_text().split() == ["raw/b.dat", "raw/b.hdr", "tables/all.txt"]

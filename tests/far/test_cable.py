"""What the transport and a conductor do when the cable is pulled: by a real network, from a host that shares nothing."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.far.lab import NEEDED, Lab
from tests.far.rig import Rig
from tests.sshd import Sshd
from tests.until import until

from penstock.campaign import Site
from penstock.errors import AuthNeeded
from penstock.transports.reply import Reply
from penstock.transports.ssh import SshTransport

COUNTING = """
[stage.count]
each = "unit"
command = ["sh", "-c", "echo $0 >> ~/begun; sleep 0.5; echo $0 >> ~/ended", "{unit}"]
batch = 2
"""
LabAt = Callable[[Sshd], Lab]


@pytest.fixture
def way(rig: Rig, lab_at: LabAt, monkeypatch: pytest.MonkeyPatch) -> SshTransport:
    """The way to the rig, logged in."""
    for name, value in lab_at(rig).environment.items():
        monkeypatch.setenv(name, value)
    made = SshTransport(Site("far", "local", host="coulson", transport="ssh"), Path("~/jobs"))
    made.login()
    return made


def ask(way: SshTransport, words: str) -> Reply:
    return way.run(["sh", "-c", words], cwd=Path("/"), environment={"PATH": "/usr/bin:/bin"}, timeout_s=60)


def numbers(rig: Rig, name: str) -> list[int]:
    """Return what commands wrote into a file of the home there."""
    path = rig.path(f"~/{name}")
    return sorted(map(int, path.read_text().split())) if path.exists() else []


def test_a_short_pull_is_not_noticed(rig: Rig, way: SshTransport) -> None:
    answers = list[Reply]()
    asker = threading.Thread(target=lambda: answers.append(ask(way, "sleep 1; echo well")))
    asker.start()
    time.sleep(0.3)
    rig.pull()
    time.sleep(3)
    rig.plug()
    asker.join(60)
    assert [(answer.code, answer.out) for answer in answers] == [(0, "well\n")]
    way.write({"x": b"1"})
    assert way.read({"x": 0}) == {"x": b"1"}
    assert rig.logins() == (1, 0)


def test_a_pull_longer_than_the_keep_alive_ends_the_question_and_the_next_login_is_a_persons(
    rig: Rig, way: SshTransport
) -> None:
    rig.pull()
    with pytest.raises(AuthNeeded):  # that it did not answer in time would be Unreachable
        ask(way, "echo well")
    with pytest.raises(AuthNeeded, match=r"`penstock site login far`.*not responding"):
        ask(way, "echo well")
    rig.plug()
    with pytest.raises(AuthNeeded):
        ask(way, "echo well")
    assert rig.logins() == (1, 0)
    assert way.login()
    assert ask(way, "echo well").out == "well\n"
    assert rig.logins() == (2, 0)


def test_a_killed_server_ends_the_connection_and_no_command_logs_in(rig: Rig, way: SshTransport) -> None:
    assert ask(way, "sleep 300 >/dev/null 2>&1 & echo $!").code == 0
    rig.kill_sshd()
    with pytest.raises(AuthNeeded):
        ask(way, "echo well")
    rig.start_sshd()
    with pytest.raises(AuthNeeded):
        ask(way, "echo well")
    assert rig.logins() == (1, 0)


def test_a_campaign_goes_on_after_pulls_and_a_killed_server(rig: Rig, lab_at: LabAt) -> None:
    lab = lab_at(rig).define(COUNTING, units=40, site='workdir = "~/penstock"\ncores = 2\n')
    lab.login()
    conductor = lab.start()
    until(lambda: numbers(rig, "ended"), "the first are done")
    rig.pull()
    time.sleep(2)
    rig.plug()
    ended = len(numbers(rig, "ended"))
    until(lambda: len(numbers(rig, "ended")) > ended, "others follow")
    rig.kill_sshd()
    until(lambda: NEEDED in lab.said(), "it says what it needs")
    until(lambda: len(numbers(rig, "ended")) == 40, "all are done there without us")
    rig.start_sshd()
    lab.login()
    assert conductor.wait(120) == 0, lab.said()
    assert lab.outcomes() == {"ok": 40}
    assert numbers(rig, "begun") == [*range(1, 41)], "nothing ran twice"
    until(lambda: not rig.living(), "nothing is left there")


def test_a_slurm_there_runs_a_campaign(rig_slurm: Rig, lab_at: LabAt) -> None:
    lab = lab_at(rig_slurm).define(COUNTING, units=8, site='scheduler = "slurm"\nworkdir = "~/penstock"\n')
    lab.login()
    assert lab.start().wait(120) == 0, lab.said()
    assert numbers(rig_slurm, "begun") == [*range(1, 9)]
    assert lab.outcomes() == {"ok": 8}

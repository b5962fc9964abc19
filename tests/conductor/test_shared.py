"""A campaign on a file system that several hosts share: any of them works on it, one at a time, and nothing is lost."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock.errors import Held
from penstock.ledger import Ledger
from penstock.ledger.hosts.adoption import adopt_record
from penstock.ledger.hosts.claims import LASTS_S
from penstock.machine import Machine
from penstock.testing import ManualClock

STAGE = """
[stage.a]
each = "unit"
command = ["sh", "-c", "echo $1 >> runs; echo $1 > $0", "{product}", "{unit}"]
products = "a/{unit}"
"""
SLOW = STAGE.replace("; echo", "; sleep 0.3; echo", 1)
SFTP = Path("/usr/lib/openssh/sftp-server")


def host(lab, name):
    """Return a host that has the campaign's folder by NFS."""
    mounts = f"1 0 0:1 / / rw - ext4 sda rw\n2 1 0:2 / {lab.root} rw - nfs4 fs:/ rw\n"
    return Machine(name, mounts, [lab.root.with_name(f"{lab.root.name}-{name}")])


def here(lab):
    return host(lab, socket.gethostname())


def states(lab, machine):
    with Ledger.open(lab.root, readonly=True, machine=machine) as ledger:
        return dict(
            tuple(row) for row in ledger.db.execute("SELECT state, count(*) FROM task GROUP BY state")
        )


def test_hosts_take_turns_and_nothing_runs_twice(lab):
    lab.define(STAGE, units=4)
    assert lab.run(machine=here(lab)).code == 0
    lab.define(STAGE, units=6)
    assert lab.run(machine=host(lab, "login2")).code == 0
    lab.define(STAGE, units=7)
    assert lab.run(machine=here(lab)).code == 0
    assert lab.runs() == {f"u{n}": 1 for n in range(1, 8)}
    assert states(lab, host(lab, "login3")) == {"done": 7}


def test_a_host_is_held_while_another_works_and_sees_how_far_it_is(lab):
    lab.define(STAGE, units=4)
    with lab.conductor(machine=here(lab)) as conductor:
        conductor.tick()
        conductor.ledger.publish_if_due(now=time.time(), monotonic=0.0)
        with pytest.raises(Held, match=f"on {socket.gethostname()}, since"):
            lab.run(machine=host(lab, "login2"))
        assert sum(states(lab, host(lab, "login2")).values()) == 4
        assert conductor.run().code == 0
    assert lab.runs() == {f"u{n}": 1 for n in range(1, 5)}


def test_a_loop_publishes_by_itself(lab):
    lab.define(STAGE, units=4)
    seen = []

    def look(ledger):
        if not seen:
            seen.append(states(lab, host(lab, "login2")))

    with lab.conductor(machine=here(lab)) as conductor:
        assert conductor.run(observe=look).code == 0
    assert sum(seen[0].values()) == 4


def test_a_turn_without_news_publishes_nothing(lab):
    lab.define(STAGE, units=4)
    assert lab.run(machine=here(lab)).code == 0
    copies = []
    for _ in range(3):
        with lab.conductor(machine=here(lab)) as conductor:
            conductor.tick()
        copies.append(
            [(p.name, p.stat().st_mtime_ns) for p in (lab.root / ".penstock").glob("ledger.*.sqlite")]
        )
    assert copies[0] == copies[1] == copies[2]
    lab.define(STAGE, units=5)
    assert lab.run(machine=host(lab, "login2")).code == 0
    assert lab.runs() == {f"u{n}": 1 for n in range(1, 6)}


def killed_after_a_copy(lab, units):
    """Let a conductor work at this host, publish, give out more, and be killed."""
    child = os.fork()
    if child == 0:
        try:
            with lab.conductor(machine=here(lab)) as conductor:
                conductor.discover()
                conductor.ledger.publish_if_due(now=time.time(), monotonic=0.0)
                conductor.submit()
                os.kill(os.getpid(), signal.SIGKILL)
        finally:
            os._exit(1)
    os.waitpid(child, 0)


def test_who_adopts_runs_again_only_what_the_copy_did_not_have(lab):
    lab.define(STAGE, units=3)
    assert lab.run(machine=here(lab)).code == 0
    lab.define(SLOW, units=9)
    killed_after_a_copy(lab, 9)
    two, later = host(lab, "login2"), ManualClock(now=time.time() + LASTS_S + 1)
    with pytest.raises(Held, match="ledger adopt"):
        lab.run(machine=two, clock=later)
    said = adopt_record(lab.root, yes=True, clock=later, machine=two)
    assert said.startswith("the record is on login2 now, as of ")
    assert lab.run(machine=two).code == 0
    assert states(lab, two) == {"done": 9}
    assert {unit: runs for unit, runs in lab.runs().items() if unit in ("u1", "u2", "u3")} == {
        "u1": 1,
        "u2": 1,
        "u3": 1,
    }


def test_jobs_that_the_copy_does_not_know_are_told_to_stop(lab):
    lab.define(SLOW, units=20)
    killed_after_a_copy(lab, 20)
    [unknown] = [path.name for path in (lab.root / ".penstock/jobs").glob("p*") if path.is_dir()][:1] or [
        "none"
    ]
    later = ManualClock(now=time.time() + LASTS_S + 1)
    adopt_record(lab.root, yes=True, clock=later, machine=host(lab, "login2"))
    with lab.conductor(machine=host(lab, "login2")):
        revoked = json.loads((lab.root / f".penstock/jobs/{unknown}/1.revoked").read_bytes())
    assert revoked["all"]
    assert lab.run(machine=host(lab, "login2")).code == 0


def test_nothing_is_adopted_without_a_yes_or_without_need(lab):
    lab.define(STAGE, units=2)
    assert lab.run(machine=here(lab)).code == 0
    two = host(lab, "login2")
    assert adopt_record(lab.root, yes=False, machine=two).startswith("nothing to adopt")
    killed_after_a_copy(lab, 2)
    later = ManualClock(now=time.time() + LASTS_S + 1)
    with pytest.raises(
        Exception, match="would be done again; if that host is gone for good, confirm it with --yes"
    ):
        adopt_record(lab.root, yes=False, clock=later, machine=two)
    with pytest.raises(Held):
        lab.run(machine=two, clock=later)


# The same with commands, on a file system that is really remote: SSHFS, as far as it can be mounted here.


@pytest.fixture
def remote(lab, tmp_path_factory) -> Iterator[None]:
    """Mount the campaign's folder by SSHFS, over a pipe to an SFTP server."""
    if not (
        shutil.which("sshfs")
        and shutil.which("fusermount3")
        and SFTP.exists()
        and os.access("/dev/fuse", os.W_OK)
    ):
        pytest.skip("needs sshfs, an sftp-server, and the right to mount with FUSE")
    far = tmp_path_factory.mktemp("far")
    (far / "ssh").write_text(f"#!/bin/sh\nexec {SFTP}\n")
    (far / "ssh").chmod(0o700)
    (far / "data").mkdir()
    command = ["sshfs", "-o", f"ssh_command={far / 'ssh'}", f"here:{far / 'data'}", str(lab.root)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"cannot mount: {done.stderr.strip()}")
    yield
    subprocess.run(["fusermount3", "-u", "-z", str(lab.root)], check=True)


def at(lab, name, *arguments):
    """Run a command on a host of that name, with a disk of its own."""
    state = lab.root.with_name(f"{lab.root.name}-{name}")
    command = [
        "unshare",
        "--uts",
        "sh",
        "-c",
        'hostname "$0" && exec "$@"',
        name,
        sys.executable,
        "-m",
        "penstock",
    ]
    return subprocess.run(
        [*command, *arguments], cwd=lab.root, env={**os.environ, "PENSTOCK_STATE": str(state)}, capture_output=True,
        text=True, timeout=60,
    )  # fmt: skip


@pytest.fixture
def hosts(lab) -> None:
    if os.geteuid() or subprocess.run(["unshare", "--uts", "true"], capture_output=True).returncode:
        pytest.skip("needs the right to give a process a host name of its own")


@pytest.mark.usefixtures("remote", "hosts")
def test_commands_at_two_hosts_work_on_one_campaign_over_sshfs(lab):
    lab.define(STAGE, units=5)
    ran = at(lab, "login1", "run")
    assert (ran.returncode, ran.stderr) == (0, "")
    own = sorted(path.name for path in (lab.root / ".penstock").iterdir() if path.is_file())
    assert own == ["ledger.1.json", "ledger.1.sqlite"]
    assert json.loads((lab.root / ".penstock/ledger.1.json").read_bytes())["path"].startswith(
        f"{lab.root}-login1/"
    )
    lab.define(STAGE, units=8)
    assert at(lab, "login2", "run").returncode == 0
    assert lab.runs() == {f"u{n}": 1 for n in range(1, 9)}
    status = at(lab, "login3", "status", "--json")
    assert json.loads(status.stdout)["stages"][0]["tasks"]["done"] == 8
    assert at(lab, "login3", "ledger", "check").stdout == "the ledger is consistent\n"


@pytest.mark.usefixtures("remote", "hosts")
def test_a_conductor_in_the_background_at_one_host_is_seen_and_ended_from_another_over_sshfs(lab):
    lab.define(STAGE, units=3)
    assert at(lab, "login1", "up").returncode == 0
    lab.wait_until(lambda: len(lab.runs()) == 3, "all units ran")
    status = at(lab, "login2", "status")
    assert "penstock: the record of" in status.stderr
    assert "is on login1; this is its copy as of" in status.stderr
    assert "`penstock up` has been running" in status.stdout
    held = at(lab, "login2", "run")
    assert (held.returncode, "on login1, since" in held.stderr) == (4, True)
    assert at(lab, "login2", "up").stdout.startswith("already up")
    down = at(lab, "login2", "down", "--wait", "30")
    assert (down.returncode, "has stopped" in down.stdout) == (0, True)
    assert at(lab, "login2", "run").stdout.endswith("all done: 3 tasks\n")


@pytest.mark.usefixtures("remote", "hosts")
def test_after_a_kill_at_one_host_another_says_how_to_go_on_over_sshfs(lab):
    lab.define(SLOW, units=12)
    up = at(lab, "login1", "up")
    assert up.returncode == 0
    [claim] = (lab.root / ".penstock").glob("ledger.*.json")
    os.kill(json.loads(claim.read_bytes())["holder"]["process"]["pid"], signal.SIGKILL)
    assert at(lab, "login2", "run").returncode == 4
    data = json.loads(claim.read_bytes())
    data["holder"]["expires"] = time.time() - 1
    claim.write_text(json.dumps(data))
    told = at(lab, "login2", "run")
    assert (told.returncode, "ledger adopt" in told.stderr) == (4, True)
    assert "--yes" in at(lab, "login2", "ledger", "adopt").stderr
    assert at(lab, "login2", "ledger", "adopt", "--yes").returncode == 0
    assert at(lab, "login2", "run").returncode == 0
    done = json.loads(at(lab, "login1", "status", "--json").stdout)["stages"][0]["tasks"]["done"]
    assert (done, lab.runs().keys()) == (12, {f"u{n}" for n in range(1, 13)})

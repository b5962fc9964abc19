"""Logging in where a host wants more than a key: a password, a code that is good once, a key that only an agent has."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest
from tests.far.conftest import LabAt
from tests.far.lab import NEEDED, Lab
from tests.far.rig import Rig
from tests.sshd import Sshd
from tests.until import until

BY_PASSWORD = """\
UsePAM yes
PermitRootLogin yes
AuthenticationMethods password
PasswordAuthentication yes
"""
BY_KEY_AND_CODE = """\
UsePAM yes
PermitRootLogin yes
AuthenticationMethods publickey,keyboard-interactive
KbdInteractiveAuthentication yes
"""
#: what the host's PAM asks: whether a line of a file is what was typed; a line is good for one login
CHECK = """\
#!/bin/sh
[ "$PAM_TYPE" = auth ] || exit 0
typed=$(tr -d '\\0')
grep -qxF -- "$typed" {good} && sed -i "/^$typed\\$/d" {good}
"""
STACK = """\
auth requisite pam_exec.so expose_authtok quiet {check}
auth required pam_permit.so
account required pam_permit.so
session required pam_permit.so
"""
STAGE = """
[stage.count]
each = "unit"
command = ["sh", "-c", "sleep 1; echo $0 > $1", "{unit}", "{product}"]
products = "count/{unit}.txt"
batch = 2
"""


@pytest.fixture
def lab(rig: Rig, lab_at: LabAt) -> Lab:
    """A campaign at a host whose PAM knows three words, each good for one login."""
    check, stack = (rig.home / name for name in ("check", "stack"))
    rig.path(rig.home / "good").write_text("sesame\n314159\n271828\n")
    rig.path(check).write_text(CHECK.format(good=rig.home / "good"))
    rig.path(check).chmod(0o700)
    rig.path(stack).write_text(STACK.format(check=check))
    rig.run("mount", "--bind", str(stack), "/etc/pam.d/sshd")
    return lab_at(rig).define(STAGE, units=16, site='workdir = "~/penstock"\n')


def login(lab: Lab, *typed: str) -> tuple[int, str]:
    """Log in at a terminal, where each word is typed when it is asked for; return the exit code and what was shown."""
    child = pexpect.spawn(
        sys.executable,
        ["-m", "penstock", "site", "login", "far"],
        cwd=lab.root,
        env=lab.environment,
        encoding="utf-8",
        timeout=60,
    )
    shown = ""
    for word in typed:
        child.expect("[Pp]assword: ")
        shown += child.before + child.after
        child.sendline(word)
    child.expect(pexpect.EOF)
    child.close()
    return child.exitstatus or 0, shown + child.before


@pytest.mark.parametrize("rig", [pytest.param(BY_PASSWORD, id="password")], indirect=True)
def test_a_password_is_typed_once_and_everything_rides_on_it(lab: Lab, rig: Rig) -> None:
    unattended = lab.penstock("site", "login", "far")
    assert unattended.returncode == 3
    assert "run `penstock site login far` in a terminal, where it can ask for a password" in unattended.stderr
    code, shown = login(lab, "sesame")
    assert code == 0, shown
    assert "sesame" not in shown
    assert lab.start("run", "1").wait(120) == 0, lab.said()
    assert rig.daemon.log.read_text().count("Accepted password") == 1


@pytest.mark.parametrize("rig", [pytest.param(BY_KEY_AND_CODE, id="code")], indirect=True)
def test_a_code_that_is_good_once_is_asked_for_again_after_a_cut(lab: Lab, rig: Rig) -> None:
    assert login(lab, "314159")[0] == 0
    conductor = lab.start()
    until(lambda: [*(lab.root / "count").glob("*.txt")], "the first results are home")
    lab.cut()
    until(lambda: NEEDED in lab.said(), "it says what it needs")
    code, shown = login(lab, "314159", "314159", "314159")
    assert code == 3, shown
    assert "coulson refused the login" in shown
    assert login(lab, "271828")[0] == 0
    assert conductor.wait(120) == 0, lab.said()
    assert lab.outcomes() == {"ok": 16}
    assert rig.daemon.log.read_text().count("Accepted keyboard-interactive") == 2


@pytest.mark.parametrize("rig", [pytest.param(BY_KEY_AND_CODE, id="code")], indirect=True)
def test_a_host_that_closes_what_it_has_just_opened_is_told(lab: Lab, rig: Rig) -> None:
    stack = rig.path(rig.home / "stack")
    stack.write_text(
        stack.read_text().replace("auth required pam_permit.so\n", "")
    )  # no credentials are given
    code, shown = login(lab, "314159")
    assert code == 3
    assert "coulson let you in and closed the connection at once" in shown.replace("\r\n", " ")


# agents


@pytest.fixture
def agent(server: Sshd, monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[str]]:
    """An agent that alone has the key of a server."""
    socket = server.home / "agent"
    process = subprocess.Popen(
        ["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL, text=True
    )
    until(socket.exists, "the agent is there")
    monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
    subprocess.run(["ssh-add", "-q", str(server.home / "key")], check=True, env=os.environ)
    (server.home / "key").unlink()
    text = server.config.read_text()
    server.config.write_text(text.replace("  IdentityAgent none\n", "").replace("  IdentitiesOnly yes\n", ""))
    yield process
    process.kill()
    process.wait()


def test_a_key_that_an_agent_has_opens_and_the_agent_may_go(
    server: Sshd, lab_at: LabAt, agent: subprocess.Popen[str], tmp_path: Path
) -> None:
    lab = lab_at(server).define(STAGE, units=4, site=f'workdir = "{tmp_path}/far"\n')
    lab.login()
    agent.kill()
    agent.wait()
    assert lab.start().wait(120) == 0, lab.said()
    assert lab.states() == {"done": 4}
    lab.cut()
    refused = lab.penstock("site", "login", "far")
    assert refused.returncode == 3
    assert "coulson refused the login (it takes publickey)" in refused.stderr

"""The places through which the contract of a transport is tested; another one is one more line here."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.cluster.packages import Unavailable
from tests.pythons import find_old
from tests.sshd import HOST, Sshd, bring_up, end_connections

from penstock.campaign import Site
from penstock.transports.local import LocalTransport
from penstock.transports.protocol import Transport
from penstock.transports.ssh import SshTransport

OpenServer = Callable[..., Sshd]

FAR = Site("far", "slurm", host=HOST, transport="ssh")


@pytest.fixture(scope="session")
def session_state() -> Iterator[Path]:
    """A short folder for sockets, which must not be those of the person who runs the tests."""
    state = Path(tempfile.mkdtemp(prefix="penstock-ssh-"))
    yield state
    end_connections(state)
    shutil.rmtree(state)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, session_state: Path) -> Iterator[Sshd]:
    """A server that all tests share which do it no harm."""
    try:
        made = bring_up(tmp_path_factory.mktemp("sshd"))
    except Unavailable as reason:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"sshd: {reason}")
    yield made
    made.down()


@pytest.fixture
def local(tmp_path: Path) -> Transport:
    """This machine."""
    return LocalTransport(tmp_path / "site" / "jobs")


@pytest.fixture
def ssh(tmp_path: Path, server: Sshd, session_state: Path, monkeypatch: pytest.MonkeyPatch) -> SshTransport:
    """This machine by a real server, logged in."""
    monkeypatch.setenv("PENSTOCK_SSH_CONFIG", str(server.config))
    monkeypatch.setenv("PENSTOCK_STATE", str(session_state))
    transport = SshTransport(FAR, tmp_path / "site" / "jobs")
    transport.login()
    return transport


@pytest.fixture
def old_ssh(ssh: SshTransport) -> Transport:
    """The same, where an old Python answers."""
    if not (old := find_old()):
        pytest.skip("there is no Python 3.6 or 3.7 here")
    return SshTransport(replace(FAR, python=old), ssh.named_folder)


@pytest.fixture(params=["local", "ssh", "old_ssh"])
def transport(request: pytest.FixtureRequest) -> Transport:
    """A transport whose folder is not there yet; the test may look at it with its own eyes."""
    return request.getfixturevalue(request.param)

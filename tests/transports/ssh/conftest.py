"""Servers with options of their own."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.sshd import HOST, Sshd, bring_up, end_connections

from penstock.campaign import Site
from penstock.transports.ssh import SshTransport


@pytest.fixture
def serve(tmp_path: Path, server: Sshd, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Sshd]]:
    """Starts a server, to which `way` then leads; where there can be none, `server` says why."""
    state = Path(tempfile.mkdtemp(prefix="penstock-ssh-"))
    monkeypatch.setenv("PENSTOCK_STATE", str(state))
    started = list[Sshd]()

    def start(options: str = "", **environment: str) -> Sshd:
        made = bring_up(tmp_path / f"sshd{len(started)}", options, **environment)
        started.append(made)
        monkeypatch.setenv("PENSTOCK_SSH_CONFIG", str(made.config))
        return made

    yield start
    end_connections(state)
    for made in started:
        made.down()
    shutil.rmtree(state)


@pytest.fixture
def open_way(tmp_path: Path) -> Callable[..., SshTransport]:
    """Opens the way to the server that was started last."""

    def way(folder: Path = tmp_path / "jobs", **keys: str) -> SshTransport:
        return SshTransport(Site("far", "slurm", host=HOST, transport="ssh", **keys), folder)

    return way

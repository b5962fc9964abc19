"""Other machines: this one behind a real SSH server, and a host that shares nothing with it (`tests/far/rig.py`)."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.cluster.packages import Unavailable
from tests.desk import Desk
from tests.far.lab import Lab
from tests.far.rig import SLURM, Rig, slurm_in
from tests.sshd import Sshd, bring_up

LabAt = Callable[[Sshd], Lab]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Sshd]:
    """A server on this machine, with a home of its own."""
    try:
        made = bring_up(tmp_path / "sshd")
    except Unavailable as reason:
        pytest.skip(f"sshd: {reason}")
    yield made
    made.down()


@pytest.fixture
def desk(server: Sshd) -> Iterator[Desk]:
    """What runs there."""
    made = Desk(server.there)
    yield made
    made.end()


@pytest.fixture
def lab(server: Sshd, desk: Desk, tmp_path: Path) -> Iterator[Lab]:
    """A campaign whose site is a machine without a scheduler; its folder has the same path on both sides."""
    made = Lab(tmp_path / "lab", server.config)
    yield made
    made.end()


def brought_up(made: Rig) -> Iterator[Rig]:
    made.home.mkdir(exist_ok=True)
    try:
        yield made.up()
    except Unavailable as reason:
        if os.environ.get("CI") == "true" and os.geteuid() == 0:
            raise
        pytest.skip(f"a host of its own: {reason}")
    finally:
        made.down()


@pytest.fixture
def rig(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Rig]:
    """A host that shares nothing with this one, without a scheduler, and a cable; a parameter is lines for its sshd."""
    yield from brought_up(Rig(tmp_path / "rig", getattr(request, "param", "")))


@pytest.fixture
def rig_slurm(tmp_path: Path) -> Iterator[Rig]:
    """The same with a Slurm of its own."""
    for made in brought_up(Rig(tmp_path / "rig", environment=SLURM.env)):
        slurm_in(made)
        yield made


@pytest.fixture
def lab_at(tmp_path: Path) -> Iterator[LabAt]:
    """Makes a campaign here whose site is reached by a server."""
    labs = list[Lab]()

    def make(server: Sshd) -> Lab:
        labs.append(Lab(tmp_path / "lab", server.config))
        return labs[-1]

    yield make
    for made in labs:
        made.end()

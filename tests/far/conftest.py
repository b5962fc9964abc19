"""Other machines: this one behind a real SSH server."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cluster.packages import Unavailable
from tests.desk import Desk
from tests.far.lab import Lab
from tests.sshd import Sshd, bring_up


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

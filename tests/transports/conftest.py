"""The places through which the contract of a transport is tested; another one is one more line here."""

from collections.abc import Callable
from pathlib import Path

import pytest

from penstock.transports.local import LocalTransport
from penstock.transports.protocol import Transport

Open = Callable[[Path], Transport]

#: how a transport to a folder of this machine is opened
TRANSPORTS: dict[str, Open] = {"local": LocalTransport}


@pytest.fixture(params=TRANSPORTS.values(), ids=TRANSPORTS.keys())
def transport(request: pytest.FixtureRequest, tmp_path: Path) -> Transport:
    """A transport whose folder is not there yet; the test may look at it with its own eyes."""
    return request.param(tmp_path / "site" / "jobs")

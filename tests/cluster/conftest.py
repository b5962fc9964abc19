"""Real clusters: each comes up when the first test wants it, and is whole again after each test.

Where they cannot be had the tests are skipped with the reason; with CI=true in the environment that is a failure.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from tests.cluster.base import ROOT, Cluster
from tests.cluster.daemon import Broken, wait_for
from tests.cluster.gridengine import GridEngine
from tests.cluster.packages import Unavailable
from tests.cluster.slurm import Slurm
from tests.cluster.torque import Torque

ANOTHER_RUN_S = 600.0

Kind = TypeVar("Kind", bound=Cluster)


@pytest.fixture(scope="session")
def slurm() -> Iterator[Slurm]:
    """Slurm with accounting and with memory limits that kill."""
    yield from brought_up(Slurm(ROOT / "slurm"))


@pytest.fixture(scope="session")
def slurm_bare() -> Iterator[Slurm]:
    """Slurm without accounting."""
    yield from brought_up(Slurm(ROOT / "slurm_bare", accounting=False))


@pytest.fixture(scope="session")
def slurm_gpus() -> Iterator[Slurm]:
    """Two nodes of Slurm with four pretended GPUs each, without accounting and memory limits."""
    yield from brought_up(
        Slurm(
            ROOT / "slurm_gpus",
            accounting=False,
            cgroup=False,
            node_count=2,
            gpus=4,
        )
    )


@pytest.fixture(scope="session")
def gridengine() -> Iterator[GridEngine]:
    yield from brought_up(GridEngine(ROOT / "gridengine"))


@pytest.fixture(scope="session")
def torque() -> Iterator[Torque]:
    """Torque's commands over a Slurm without accounting."""
    yield from brought_up(Torque(ROOT / "torque"))


def brought_up(cluster: Kind) -> Iterator[Kind]:
    """Bring a cluster up from nothing for this run of pytest alone; its logs stay when it has gone down."""
    try:
        with alone(cluster.home):
            cluster.down(wipe=True)
            try:
                cluster.up()
                yield cluster
            finally:
                cluster.down()
    except (Unavailable, Broken) as reason:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(reason))


@contextmanager
def alone(home: Path) -> Generator[None]:
    """Wait until no other run of pytest has this cluster."""
    home.parent.mkdir(exist_ok=True)
    with open(f"{home}.lock", "w", encoding="utf-8") as file:
        wait_for(lambda: locked(file.fileno()), f"another run has {home}", ANOTHER_RUN_S, 0.5)
        yield


def locked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@pytest.fixture(autouse=True)
def whole_again(request: pytest.FixtureRequest) -> Iterator[None]:
    """Start again whatever the test stopped, and cancel what it left."""
    yield
    for cluster in clusters_of(request.node):
        cluster.start()
        cluster.cancel_all()


def clusters_of(item: Any) -> list[Cluster]:
    return [value for value in item.funcargs.values() if isinstance(value, Cluster)]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the ends of the clusters' logs when a test failed."""
    report = yield
    if report.failed:
        report.sections += [(f"logs in {cluster.home}", cluster.logs()) for cluster in clusters_of(item)]
    return report

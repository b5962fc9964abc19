import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from answers import Answers

from penstock.campaign import Site
from penstock.schedulers import slurm
from penstock.site import ClusterSite
from penstock.site.cluster import folder_of
from penstock.transports.local import LocalTransport


@pytest.fixture
def make_site(tmp_path: Path) -> Callable[..., tuple[ClusterSite, Answers]]:
    """Makes a cluster of the campaign in `tmp_path`, and what answers for its Slurm."""

    def make(answers: Answers | None = None, **keys: object) -> tuple[ClusterSite, Answers]:
        answers = answers or Answers()
        site = Site("cluster", scheduler="slurm", **keys)
        transport = LocalTransport(folder_of(site, tmp_path), run_here=answers)
        return ClusterSite(site, tmp_path, scheduler=slurm, transport=transport), answers

    return make


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here nothing is set but what is passed on."""
    for name in set(os.environ) - {"PATH", "HOME", "LANG"}:
        monkeypatch.delenv(name)

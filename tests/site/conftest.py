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


@pytest.fixture
def make_site(tmp_path: Path) -> Callable[..., tuple[ClusterSite, Answers]]:
    """Makes a cluster of the campaign in `tmp_path`, and what answers for its Slurm."""

    def make(answers: Answers | None = None, **keys: object) -> tuple[ClusterSite, Answers]:
        answers = answers or Answers()
        site = Site("cluster", scheduler="slurm", **keys)
        return ClusterSite(site, tmp_path, scheduler=slurm, run=answers), answers

    return make


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here nothing is set but what is passed on."""
    for name in set(os.environ) - {"PATH", "HOME", "LANG"}:
        monkeypatch.delenv(name)

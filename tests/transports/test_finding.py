"""A transport is found by its name, ours and other packages'."""

import tomllib
from pathlib import Path

import pytest

from penstock.campaign import Campaign, Site
from penstock.errors import DefinitionError
from penstock.schedulers import local
from penstock.site import ClusterSite, Sites
from penstock.testing import make_campaign
from penstock.transports import BUILT_IN, GROUP, find_transport
from penstock.transports.local import LocalTransport
from penstock.transports.ssh import SshTransport

THEIRS = """
from penstock.transports.local import LocalTransport

class Theirs(LocalTransport):
    def __init__(self, site, folder):
        super().__init__(folder)
        self.host = site.host
"""

TOML = """
[campaign]
name = "elsewhere"
levels = ["file"]
[units]
files = "in/{file}.txt"
[stage.copy]
each = "file"
command = ["cp", "{path}", "{product}"]
products = "out/{file}.txt"
site = "lab"
[site.lab]
"""


@pytest.fixture
def theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another package is installed."""
    (tmp_path / "their_way.py").write_text(THEIRS)
    (tmp_path / "their_way-1.dist-info").mkdir()
    (tmp_path / "their_way-1.dist-info/entry_points.txt").write_text(
        f"[{GROUP}]\ntheirs = their_way:Theirs\n"
    )
    monkeypatch.syspath_prepend(tmp_path)


def campaign_at(root: Path, site: str, *, name: str = "lab") -> Campaign:
    return make_campaign(root / "campaign", TOML.replace("lab", name) + site).load()


def test_the_built_in_ones_are_entry_points_under_their_names() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["entry-points"][GROUP] == {
        name: f"{opened.__module__}:{opened.__name__}" for name, opened in BUILT_IN.items()
    }


def test_an_unknown_one_is_answered_with_the_known_ones_and_the_nearest() -> None:
    with pytest.raises(
        DefinitionError, match=r"no transport 'locla'; there are .*local.*; did you mean 'local'\?"
    ):
        find_transport("locla")


def test_a_cluster_is_reached_through_the_transport_of_another_package(theirs: None, tmp_path: Path) -> None:
    text = 'scheduler = "slurm"\nhost = "head"\ntransport = "theirs"\nshared_files = true\n'
    campaign = campaign_at(tmp_path, text)
    site = Sites(campaign).cluster("lab")
    assert isinstance(site, ClusterSite)
    assert (type(site.transport).__name__, vars(site.transport)["host"]) == ("Theirs", "head")
    assert site.folder == campaign.root / ".penstock/jobs"


def test_a_cluster_without_a_word_of_it_is_reached_from_here(tmp_path: Path) -> None:
    assert type(ClusterSite(Site("c", "slurm"), tmp_path).transport) is LocalTransport


def test_this_machine_needs_no_way(theirs: None, tmp_path: Path) -> None:
    campaign = campaign_at(tmp_path, 'transport = "theirs"\n', name="local")
    with pytest.raises(
        DefinitionError, match="'local' is this machine, to which there is no way: give the other one another"
    ):
        Sites(campaign).check()


@pytest.mark.parametrize(("way", "kind"), [('host = "desk"', SshTransport), ('transport = "theirs"', object)])
def test_a_machine_without_a_scheduler_that_is_not_this_one_is_a_cluster(
    theirs: None, tmp_path: Path, way: str, kind: type
) -> None:
    sites = Sites(campaign_at(tmp_path, f"{way}\n"))
    assert sites.feeding_site("lab") is None
    site = sites.cluster("lab")
    assert isinstance(site, ClusterSite)
    assert isinstance(site.transport, kind)
    assert site.scheduler is local


def test_a_host_is_reached_by_ssh_unless_something_else_is_named(theirs: None, tmp_path: Path) -> None:
    site = Sites(campaign_at(tmp_path, 'scheduler = "slurm"\nhost = "head"\nworkdir = "~/w"\n')).cluster(
        "lab"
    )
    assert isinstance(site, ClusterSite)
    assert isinstance(site.transport, SshTransport)
    assert str(site.site.workdir) == "~/w", "the home there"


@pytest.mark.parametrize(
    ("site", "why"),
    [
        ('host = "head"\ntransport = "local"', "has a `host` and is reached by `local`"),
        ('scheduler = "slurm"\nhost = "head"\ntransport = "local"', "has a `host` and is reached by `local`"),
        ('scheduler = "slurm"\ntransport = "ssh"', "is reached by `ssh` and has no `host`"),
    ],
)
def test_what_does_not_fit_together_is_refused(tmp_path: Path, site: str, why: str) -> None:
    with pytest.raises(DefinitionError, match=f"site 'lab' {why}"):
        Sites(campaign_at(tmp_path, f"{site}\n")).check()

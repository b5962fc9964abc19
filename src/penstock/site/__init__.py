"""Where jobs run: a scheduler and a way to reach it, put together."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from penstock.campaign import Campaign, Site, Stage
from penstock.errors import DefinitionError
from penstock.ledger import FOLDER
from penstock.site.cluster import ClusterSite, refuse_resources
from penstock.site.environments import refuse_bare
from penstock.site.fitting import refuse_larger
from penstock.site.local import LocalSite
from penstock.site.protocols import ClusterJobs, FeedingSite, JobSite
from penstock.transports.local import LocalTransport

__all__ = ["ClusterJobs", "ClusterSite", "FeedingSite", "JobSite", "LocalSite", "Sites"]


class Sites:
    """The sites of one campaign, each made on first use.

    `here` replaces every site that is this machine, `there` for clusters by name: both are for tests.
    """

    def __init__(
        self,
        campaign: Campaign,
        *,
        here: FeedingSite | None = None,
        there: Mapping[str, ClusterJobs] | None = None,
    ) -> None:
        self.campaign = campaign
        self.feeding: dict[str, FeedingSite] = {here.name: here} if here else {}
        self.clusters: dict[str, ClusterJobs] = dict(there or {})
        self.here = here

    def name_of(self, stage: Stage) -> str:
        """Return the name of the site where a stage's tasks run."""
        site = self.campaign.site_of(stage)
        return self.here.name if self.here and site.is_here else site.name

    def used(self) -> list[str]:
        """Return the names of the sites that stages use."""
        return list(dict.fromkeys(self.name_of(stage) for stage in self.campaign.stages))

    def folders_here(self) -> list[Path]:
        """Return the folders here that have jobs of this campaign and of no other."""
        found = [self.campaign.root / FOLDER / "jobs"]
        clusters = [site for name in self.used() if isinstance(site := self[name], ClusterSite)]
        found += [
            site.folder for site in clusters if isinstance(site.transport, LocalTransport) and not site.far
        ]
        return list(dict.fromkeys(found))

    def check(self) -> None:
        """Raise DefinitionError for the first thing that a site cannot do."""
        for stage in self.campaign.stages:
            refuse_bare(stage, self.campaign.site_of(stage), self.campaign.root)
        for name in self.used():
            if site := self.feeding_site(name):
                for stage in self.stages_at(name):
                    refuse_larger(stage, name, site.nodes)
            else:
                self.cluster(name)

    def stages_at(self, name: str) -> list[Stage]:
        """Return the stages whose tasks run at a place."""
        return [stage for stage in self.campaign.stages if self.name_of(stage) == name]

    def __getitem__(self, name: str) -> JobSite:
        return self.feeding_site(name) or self.cluster(name)

    def feeding_site(self, name: str) -> FeedingSite | None:
        """Return the site with that name if its runners are fed."""
        if name not in self.feeding and name not in self.clusters and self.definition(name).is_here:
            self.feeding[name] = LocalSite(self.definition(name), self.campaign.root)
        return self.feeding.get(name)

    def cluster(self, name: str) -> ClusterJobs:
        """Return the cluster with that name."""
        if name not in self.clusters:
            self.clusters[name] = self.open_cluster(name)
        return self.clusters[name]

    def open_cluster(self, name: str) -> ClusterSite:
        """Return the cluster that the definition has under a name, if it can do what its stages ask for."""
        site = ClusterSite(self.definition(name), self.campaign.root)
        for stage in (s for s in self.campaign.stages if self.name_of(s) == name):
            refuse_resources(stage, site.site, site.scheduler)
        return site

    def definition(self, name: str) -> Site:
        """Return a site of the campaign; raises DefinitionError when one that it no longer has still has active jobs."""
        try:
            site = self.campaign.sites[name]
        except KeyError:
            raise DefinitionError(
                f"site '{name}' is no longer defined and still has active jobs: put [site.{name}] back until they have finished",
                file=self.campaign.file,
            ) from None
        if why := contradiction(site):
            raise DefinitionError(f"site '{name}' {why}", file=self.campaign.file)
        return site


def contradiction(site: Site) -> str | None:
    """Return what does not fit together in a site, if anything."""
    if site.name == "local" and not site.is_here and site.scheduler == "local":
        return "is this machine, to which there is no way: give the other one another name"
    if site.host and site.transport == "local":
        return "has a `host` and is reached by `local`: remove one of both"
    if site.transport == "ssh" and not site.host:
        return "is reached by `ssh` and has no `host`: name one of ~/.ssh/config"
    return None

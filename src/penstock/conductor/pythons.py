"""Whether functions find a Python at their site that they can be run with, before tasks are given out."""

from __future__ import annotations

from dataclasses import replace

from penstock.campaign import Site, Stage
from penstock.conductor.context import Context
from penstock.errors import OutOfReach, SiteError
from penstock.ledger.pauses import pause_stages
from penstock.site.environments import python_at
from penstock.site.inventory import store_of
from penstock.site.surveys import survey
from penstock.transports import find_transport


class Pythons:
    """Asks each site once for its Python; a stage that needs another one is paused.

    What is remembered here saves questions, and is asked again by the next conductor.
    """

    def __init__(self, context: Context) -> None:
        self.context, self.campaign = context, context.campaign
        self.told, self.fitting = dict[str, str](), set[str]()

    def fit(self, stage: Stage) -> bool:
        """Whether a stage, and those that run with it, find a Python that they can be run with; raises OutOfReach."""
        if stage.name not in self.fitting:
            whys = [why for link in self.campaign.chain(stage) if (why := self.why_not(link))]
            if whys:
                number = self.context.graph.ids[stage.name]
                pause_stages(self.context.ledger, [number], whys[0], now=self.context.clock.now())
                return False
            self.fitting.add(stage.name)
        return True

    def why_not(self, stage: Stage) -> str | None:
        """Return why the Python of a stage's site is not one for its function, if so."""
        site = self.campaign.site_of(stage)
        if not stage.requires_python or (site.is_here and not (site.python or site.container)):
            return None
        try:
            version = self.version_at(site)
        except OutOfReach:
            raise
        except SiteError as error:
            return str(error)
        return misfit(stage, site, version)

    def version_at(self, site: Site) -> str:
        """Return the version of the Python that jobs of a site run with; raises SiteError."""
        if site.name not in self.told:
            root = self.campaign.root
            way = find_transport(site.transport)(site, store_of(site, root))
            asked = replace(site, python=python_at(root, site))
            self.told[site.name] = survey(asked, way).platform.version
        return self.told[site.name]


def misfit(stage: Stage, site: Site, version: str) -> str | None:
    """Return why a function cannot be run with this version of Python, if so. Pure."""
    kind, needed = stage.requires_python[:2], stage.requires_python[2:]
    found = tuple(int(part) for part in version.split(".")[:2])
    wanted = tuple(int(part) for part in needed.split("."))
    if found == wanted or (kind == ">=" and found > wanted):
        return None
    more, last = (
        (" or newer", ", or say `requires_python` if it works with that one") if kind == ">=" else ("", "")
    )
    way_out = f"name another one as `python` of [site.{site.name}]{',' if last else ' or'} load one in its `setup`{last}"
    where = f"at {site.host}" if site.host else f"at site '{site.name}'"
    return f"the function of '{stage.name}' needs Python {needed}{more}, and {where} it gets {version}: {way_out}"

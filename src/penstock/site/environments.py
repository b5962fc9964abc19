"""What the functions of a far site's stages find there: which Python, with which packages."""

from __future__ import annotations

from penstock.campaign import Site, Stage
from penstock.errors import DefinitionError


def refuse_bare(stage: Stage, site: Site) -> None:
    """Refuse a function at a far site that does not say which Python has what it needs."""
    if stage.python and site.host and not (site.python or site.setup or site.container):
        raise DefinitionError(
            f"stage '{stage.name}' is a Python function, and [site.{site.name}] does not say which Python at {site.host}"
            " has what it needs: name one as `python`, load one in `setup`, or give a `container`"
        )

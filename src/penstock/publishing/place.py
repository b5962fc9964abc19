"""The folder of a publication, here or at a host, and what is said when something there goes wrong."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from penstock.campaign import Campaign
from penstock.errors import DefinitionError, PenstockError
from penstock.ledger import FOLDER
from penstock.outputs import Publication
from penstock.transports import find_transport
from penstock.transports.local import LocalTransport
from penstock.transports.protocol import Transport


def open_place(campaign: Campaign, publication: Publication) -> Transport:
    """Return the way to the folder; nothing is asked of it yet. Raises DefinitionError for one that cannot be."""
    site = campaign.sites[publication.site or "local"]
    if site.transport == "local":
        folder = campaign.root / Path(publication.to).expanduser()
        refuse_own(campaign, publication, folder.resolve())
        return LocalTransport(folder).public()
    to = Path(publication.to)
    far = to if to.is_absolute() or to.parts[:1] == ("~",) else Path("~", to)
    return find_transport(site.transport)(site, far).public()


def refuse_own(campaign: Campaign, publication: Publication, folder: Path) -> None:
    """Refuse the campaign's folder, one that it is in, and penstock's own."""
    root = campaign.root.resolve()
    if root.is_relative_to(folder) or folder.is_relative_to(root / FOLDER):
        raise DefinitionError(
            f"[publish.{publication.name}] publishes into the campaign's own folder, {folder}: name another one,"
            ' such as "public"',
            file=campaign.file,
        )


def place_of(campaign: Campaign, publication: Publication) -> str:
    """Return how people call the folder."""
    host = campaign.sites[publication.site or "local"].host
    return f"{host}:{publication.to}" if host else publication.to


@contextmanager
def explained(place: str) -> Generator[None]:
    """Say in one sentence what could not be read or written there."""
    try:
        yield
    except OSError as error:
        what, words = error.filename or place, error.strerror or str(error)
        raise PenstockError(f"{what} cannot be published ({words}): publish again when it can be") from error

"""Products that are only at a site keep the definition of that site as it is, since they could not be found again."""

from __future__ import annotations

from penstock.campaign import Campaign, Site
from penstock.display import count, show_bytes
from penstock.errors import DefinitionError
from penstock.ledger import Ledger
from penstock.ledger.locations import count_away, sites_away
from penstock.ledger.stored import stored_campaign


def refuse_to_forget(ledger: Ledger, campaign: Campaign) -> None:
    """Refuse a definition that no longer leads to where products are that are not here."""
    if not (away := sites_away(ledger.db)):
        return
    before = stored_campaign(ledger).sites
    for name in away:
        if changed := difference(before[name], campaign.sites.get(name)):
            made = count_away(ledger.db, name)
            raise DefinitionError(
                f"{count(made.products, 'product')} ({show_bytes(made.bytes)}) made at site '{name}' are only there, and"
                f" {changed}: put that back, let `penstock fetch` bring them home, and change it then",
                file=campaign.file,
            )


def difference(before: Site, now: Site | None) -> str:
    """Return in what a site leads elsewhere than before, if it does."""
    if now is None:
        return f"[site.{before.name}] is gone"
    keys = ("host", "transport", "workdir", "shared_files", "paths")
    changed = [key for key in keys if getattr(before, key) != getattr(now, key)]
    return f"`{changed[0]}` of [site.{now.name}] has changed" if changed else ""

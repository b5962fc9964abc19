"""The status of a campaign before its first run."""

from __future__ import annotations

from penstock.campaign import Campaign
from penstock.conductor.plan import drafted
from penstock.status import Status
from penstock.status.model import SHOWN_PROBLEMS


def foresee(campaign: Campaign, *, problems: int = SHOWN_PROBLEMS) -> Status:
    """Return the status that it would have after its first run's scan of the sources; nothing is written."""
    with drafted(campaign) as (context, _):
        return Status.read(context.ledger, problems=problems)

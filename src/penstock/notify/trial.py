"""A trial of a channel, by the message of a person who wants to know whether it arrives."""

from __future__ import annotations

import time

from penstock.campaign import Campaign
from penstock.channels import Channel
from penstock.notify.letter import Draft, Letter
from penstock.notify.ways import Undelivered, deliver


def try_channel(campaign: Campaign, channel: Channel) -> str | None:
    """Send a trial message; return why that failed, or who did not get it."""
    draft = Draft(
        f"a trial of channel {channel.name}", [f"This is a trial: channel {channel.name} works."], {}
    )
    letter = Letter.new("trial", draft, campaign=campaign.name, folder=campaign.root, at=time.time())
    try:
        return deliver(channel, letter, root=campaign.root)
    except Undelivered as error:
        return str(error)

"""What tells people: letters made of the record, ways to deliver them, and the thread that does."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from penstock.campaign import Campaign
from penstock.clock import Clock
from penstock.ledger import Ledger

if TYPE_CHECKING:
    from penstock.notify.sender import Sender

LEAVING_S = 10.0  # for the last tries when a conductor ends


@contextmanager
def sending(ledger: Ledger, campaign: Campaign, clock: Clock) -> Generator[Sender | None]:
    """Let a thread send what is in the outbox, and at the end what is left; where nobody is to be told there is none."""
    if not (campaign.notify or campaign.heartbeat):
        yield None
        return
    from penstock.notify.sender import Sender  # servers of all kinds: 50 ms

    sender = Sender(ledger, campaign, clock)
    thread = threading.Thread(target=sender.work, daemon=True)
    thread.start()
    try:
        yield sender
    finally:
        sender.over.set()
        thread.join(LEAVING_S)

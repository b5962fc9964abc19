"""The thread that sends what is in the outbox: no turn waits for it, and none of its tries waits for ever."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Mapping
from contextlib import closing, suppress

from penstock.campaign import Campaign
from penstock.channels import Channel
from penstock.clock import Clock
from penstock.errors import Held, LedgerError
from penstock.ledger import Ledger, outbox
from penstock.ledger.files import connect
from penstock.ledger.hosts.holder import last_turn
from penstock.notify.composing import compose
from penstock.notify.heartbeat import Heartbeat
from penstock.notify.letter import Letter
from penstock.notify.ways import LIMIT_S, Undelivered, deliver

LOOK_S = 1.0  # between looks at the outbox


class Sender:
    """Sends the notices of one campaign, and shows that turns are taken."""

    def __init__(self, ledger: Ledger, campaign: Campaign, clock: Clock, *, limit_s: float = LIMIT_S) -> None:
        self.record, self.clock, self.limit_s = ledger, clock, limit_s
        self.channels: Mapping[str, Channel] = campaign.notify
        self.heart = None
        if campaign.heartbeat:
            self.heart = Heartbeat(campaign.heartbeat, campaign.root, begun=clock.now())
        self.last = False  # nobody comes after this conductor
        self.over = threading.Event()

    def work(self) -> None:
        """Send until it is over, and then what is left, once."""
        going_on = True
        while going_on:
            going_on = not self.over.wait(LOOK_S)
            with suppress(sqlite3.Error, OSError, LedgerError):  # it is tried again in a moment
                self.send(last=self.last and not going_on)

    def send(self, *, last: bool = False) -> None:
        """Write the messages that are due, and send them; `last`: nobody comes later."""
        with closing(connect(self.record.path, readonly=False)) as db:
            ledger = Ledger(db, root=self.record.root, path=self.record.path, epoch=self.record.epoch)
            with suppress(Held, LedgerError):  # another one sends them
                self.beat(ledger)
                self.write(ledger, last=last)
                for notice in outbox.unsent(db, self.clock.now()):
                    self.try_one(ledger, notice)

    def beat(self, ledger: Ledger) -> None:
        """Show that turns are taken, if one was."""
        if self.heart and self.heart.is_due(turned := last_turn(ledger.db) or 0.0):
            why = self.heart.beat(turned, self.limit_s)
            ledger.set_problem("heartbeat", why, self.clock.now())

    def write(self, ledger: Ledger, *, last: bool) -> None:
        """Fix the messages of the notices that grew for long enough."""
        for channel in self.channels.values():
            for notice in outbox.growing(
                ledger.db, self.clock.now(), channel.every_s, channel.name, last=last
            ):
                now = self.clock.now()
                made = compose(ledger, notice, now)
                with ledger.transaction() as db:
                    if made is None:
                        outbox.drop(db, notice)
                    else:
                        outbox.seal(db, notice, made[0].to_json(), made[1], now)

    def try_one(self, ledger: Ledger, notice: outbox.Notice) -> None:
        """Send one notice, and note what came of it."""
        letter = Letter.from_json(notice.message or "")
        try:
            why = deliver(self.channels[notice.channel], letter, root=ledger.root, limit_s=self.limit_s)
        except Undelivered as error:
            with ledger.transaction() as db:
                outbox.note_failed(db, notice, str(error), self.clock.now())
        else:
            with ledger.transaction() as db:
                outbox.note_sent(db, notice, why, self.clock.now())

"""What is new on open pages: one look at each record for all browsers, and one drawing of each page that changed."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from penstock.errors import PenstockError
from penstock.ledger.files import explained
from penstock.ledger.hosts.holder import Holder, holder
from penstock.ledger.hosts.location import open_any
from penstock.ledger.hosts.publishing import signature
from penstock.serve.campaigns import Shown

LOOK_S = 0.3  # between looks at a record: size and time of two files
GAP_S = 1.3  # between two drawings of what is open
SHARE, MOST_S = 0.04, 30.0  # of the time, that drawings take; up to such a gap
PLACE_S = 2.0  # between looks where a record is, and whether its conductor lives, whose end writes nothing
PATIENCE_S = 20.0  # after which a browser is told that we are still here
ALL = ""  # the name of no campaign: the page of all

Key = tuple[str, str, str]
"""A page: the campaign, its name, and the question in its address."""


@dataclass(eq=False)
class Open:
    """One page that somebody looks at."""

    waiting: set[asyncio.Queue[bytes]] = field(default_factory=set[asyncio.Queue[bytes]])
    new: set[asyncio.Queue[bytes]] = field(default_factory=set[asyncio.Queue[bytes]])
    """Those who were sent nothing yet."""
    sent: str = ""
    due: bool = True

    def send(self, text: str) -> None:
        """Send it to all who look at it and have it not yet, in place of what was not sent yet."""
        others, data = self.new if text == self.sent else self.waiting, event("page", text)
        for queue in others:
            with suppress(asyncio.QueueEmpty):
                queue.get_nowait()
            queue.put_nowait(data)
        self.sent, self.new = text, set()


@dataclass(eq=False)
class Seen:
    """What was last seen of a record."""

    looked: float = -PLACE_S
    place: Path | str = ""
    """Its file, or why there is none."""
    stamp: Any = None
    holder: Holder | None = None
    lives: bool = False


class Watch:
    """Looks at the records as long as anybody looks at a page."""

    def __init__(
        self, campaigns: Mapping[str, Shown], draw: Callable[[Sequence[Key]], Sequence[str]]
    ) -> None:
        self.campaigns, self.draw = campaigns, draw
        self.open = dict[Key, Open]()
        self.seen = {name: Seen() for name in campaigns}
        self.task: asyncio.Task[None] | None = None
        self.rests_until = 0.0

    async def events(self, key: Key) -> AsyncIterator[bytes]:
        """Yield the events for one browser, beginning with the page as it is."""
        queue = asyncio.Queue[bytes](1)
        page = self.open.setdefault(key, Open())
        page.waiting.add(queue)
        page.new.add(queue)
        try:
            yield b"retry: 2000\n\n"
            self.keep_looking()
            await self.notice({key[0]})
            if page.sent and not page.due:  # or it would be older than what the browser has just loaded
                page.send(page.sent)
            while True:
                try:
                    yield await asyncio.wait_for(queue.get(), PATIENCE_S)
                except TimeoutError:
                    self.keep_looking()
                    yield event("here", "")
        finally:
            page.waiting.discard(queue)
            page.new.discard(queue)
            if not page.waiting and self.open.get(key) is page:
                del self.open[key]

    def keep_looking(self) -> None:
        """Begin to look at the records, if nobody does, or if a fault of ours has ended it."""
        if self.task is None or self.task.done():
            self.task = asyncio.create_task(self.look())

    async def look(self) -> None:
        """Look at the records of open pages until none is open."""
        while self.open:
            await self.notice({key[0] for key in self.open})
            due = [key for key, page in self.open.items() if page.due]
            if due and time.monotonic() >= self.rests_until:
                await self.draw_again(due)
            await asyncio.sleep(LOOK_S)

    async def notice(self, names: set[str]) -> None:
        """Look at some records, and note which pages are to be drawn again."""
        changed = await asyncio.to_thread(self.changes, names)
        for key, page in self.open.items():
            page.due = page.due or key[0] in changed or (key[0] == ALL and bool(changed))

    async def draw_again(self, due: Sequence[Key]) -> None:
        """Draw pages, and send each to all who have it not yet; then rest, the longer the more it took."""
        pages, began, used = {key: self.open[key] for key in due}, time.monotonic(), time.process_time()
        for page in pages.values():
            page.due = False
        texts = await asyncio.to_thread(self.draw, due)
        for page, text in zip(pages.values(), texts, strict=True):
            page.send(text)
        self.rests_until = began + min(max(GAP_S, (time.process_time() - used) / SHARE), MOST_S)

    def changes(self, names: set[str]) -> set[str]:
        """Return which of these campaigns were written, or lost or got their conductor, since the last look."""
        wanted = self.campaigns if ALL in names else names
        return {name for name in wanted if self.is_new(self.campaigns[name], self.seen[name])}

    def is_new(self, shown: Shown, seen: Seen) -> bool:
        """Whether a record, or its conductor, is not as it was; what was seen is noted."""
        now, before = time.monotonic(), (seen.place, seen.stamp, seen.lives)
        later, stamp = now - seen.looked >= PLACE_S, None
        try:
            if later:
                seen.looked, seen.place = now, shown.place()
            stamp = signature(seen.place) if isinstance(seen.place, Path) else None
            if stamp != seen.stamp:
                seen.holder = holder_of(seen.place)
        except (PenstockError, OSError) as error:
            seen.place, seen.holder = str(error), None
        seen.stamp = stamp
        if later or stamp != before[1]:
            seen.lives = seen.holder is not None and seen.holder.alive(time.time())
        return (seen.place, seen.stamp, seen.lives) != before


def holder_of(place: Path | str) -> Holder | None:
    """Return who has the lease of a record; None if nobody has, or if there is no record."""
    if isinstance(place, str):
        return None
    with explained(place), closing(open_any(place)) as db:
        return holder(db)


def event(kind: str, text: str) -> bytes:
    """Return an event; `here` only says that the server still is."""
    return f"event: {kind}\ndata: {json.dumps(text)}\n\n".encode()

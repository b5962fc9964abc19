"""What is new on open pages: one look at each record for all browsers, and one drawing of each page that changed."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from penstock.errors import PenstockError
from penstock.ledger.hosts.holder import Holder, holder
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
    sent: str = ""
    due: bool = True

    def send(self, text: str) -> None:
        """Send it to all who look at it, in place of what was not sent yet."""
        self.sent, data = text, event(text)
        for queue in self.waiting:
            with suppress(asyncio.QueueEmpty):
                queue.get_nowait()
            queue.put_nowait(data)


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
        if self.task is None or self.task.done():
            self.task = asyncio.create_task(self.look())
        try:
            yield b"retry: 2000\n\n"
            if page.sent:
                yield event(page.sent)
            while True:
                try:
                    yield await asyncio.wait_for(queue.get(), PATIENCE_S)
                except TimeoutError:
                    yield b": still here\n\n"
        finally:
            page.waiting.discard(queue)
            if not page.waiting and self.open.get(key) is page:
                del self.open[key]

    async def look(self) -> None:
        """Look at the records of open pages until none is open."""
        while self.open:
            changed = await asyncio.to_thread(self.changes, {key[0] for key in self.open})
            for key, page in self.open.items():
                page.due = page.due or key[0] in changed or (key[0] == ALL and bool(changed))
            due = [key for key, page in self.open.items() if page.due]
            if due and time.monotonic() >= self.rests_until:
                await self.draw_again(due)
            await asyncio.sleep(LOOK_S)

    async def draw_again(self, due: Sequence[Key]) -> None:
        """Draw pages, and send each to all who look at it if it is not as it was; then rest, the longer the more it took."""
        pages, began, used = {key: self.open[key] for key in due}, time.monotonic(), time.process_time()
        for page in pages.values():
            page.due = False
        texts = await asyncio.to_thread(self.draw, due)
        for page, text in zip(pages.values(), texts, strict=True):
            if text != page.sent:
                page.send(text)
        self.rests_until = began + min(max(GAP_S, (time.process_time() - used) / SHARE), MOST_S)

    def changes(self, names: set[str]) -> set[str]:
        """Return which of these campaigns were written, or lost or got their conductor, since the last look."""
        wanted = self.campaigns if ALL in names else names
        return {name for name in wanted if self.is_new(self.campaigns[name], self.seen[name])}

    def is_new(self, shown: Shown, seen: Seen) -> bool:
        """Whether a record, or its conductor, is not as it was; what was seen is noted."""
        now, before = time.monotonic(), (seen.place, seen.stamp, seen.lives)
        if later := now - seen.looked >= PLACE_S:
            seen.looked = now
            try:
                seen.place = shown.place()
            except (PenstockError, OSError) as error:
                seen.place = str(error)
        stamp = signature(seen.place) if isinstance(seen.place, Path) else None
        if stamp != seen.stamp:
            seen.stamp, seen.holder = stamp, holder_of(shown)
        if later or stamp != before[1]:
            seen.lives = seen.holder is not None and seen.holder.alive(time.time())
        return (seen.place, seen.stamp, seen.lives) != before


def holder_of(shown: Shown) -> Holder | None:
    """Return who has the lease of a record; None if nobody has, or if it cannot be read."""
    try:
        with shown.reading() as ledger:
            return holder(ledger.db)
    except (PenstockError, OSError):
        return None


def event(text: str) -> bytes:
    """Return an event with a page."""
    return f"event: page\ndata: {json.dumps(text)}\n\n".encode()

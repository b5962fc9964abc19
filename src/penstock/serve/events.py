"""What is new on open pages: one look at each record for all browsers, and one drawing of each page that changed."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from penstock.errors import PenstockError
from penstock.ledger.hosts.lease import find_holder
from penstock.serve.campaigns import Shown

LOOK_S = 0.3  # between looks at a record: size and time of two files
GAP_S = 1.3  # between two drawings of the same page
HOLDER_S = 2.0  # between looks whether its conductor lives, whose end writes nothing
SHARE = 0.04  # of the time, that drawings take at most
PATIENCE_S = 20.0  # after which a browser is told that we are still here
ALL = ""  # the name of no campaign: the page of all

Key = tuple[str, str, str]
"""A page: the campaign, its name, and the question in its address."""


@dataclass(eq=False)
class Open:
    """One page that somebody looks at."""

    waiting: set[asyncio.Queue[bytes]] = field(default_factory=set[asyncio.Queue[bytes]])
    sent: str = ""
    drawn: float = -GAP_S
    due: bool = False


class Watch:
    """Looks at the records as long as anybody looks at a page."""

    def __init__(self, campaigns: Mapping[str, Shown], draw: Callable[[Key], str]) -> None:
        self.campaigns, self.draw = campaigns, draw
        self.open = dict[Key, Open]()
        self.seen = dict[str, Any]()
        self.held = dict[str, tuple[float, bool]]()
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
            if not page.sent:
                page.due = True
            else:
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
            for key, page in list(self.open.items()):
                page.due = page.due or key[0] in changed or (key[0] == ALL and bool(changed))
                now = time.monotonic()
                if page.due and now >= max(page.drawn + GAP_S, self.rests_until):
                    await self.draw_again(key, page)
            await asyncio.sleep(LOOK_S)

    async def draw_again(self, key: Key, page: Open) -> None:
        """Draw a page, and send it to all who look at it if it is not as it was."""
        page.due, began = False, time.monotonic()
        text = await asyncio.to_thread(self.draw, key)
        page.drawn = time.monotonic()
        self.rests_until = page.drawn + min((page.drawn - began) / SHARE - (page.drawn - began), GAP_S)
        if text == page.sent:
            return
        page.sent, data = text, event(text)
        for queue in page.waiting:
            with suppress(asyncio.QueueEmpty):
                queue.get_nowait()  # what was not sent yet is old
            queue.put_nowait(data)

    def changes(self, names: set[str]) -> set[str]:
        """Return which of these campaigns were written, or lost or got their conductor, since the last look."""
        wanted = self.campaigns if ALL in names else {name: self.campaigns[name] for name in names}
        changed = set[str]()
        for name, shown in wanted.items():
            now = (self.signature(shown), self.lives(shown))
            if self.seen.get(name) != now:
                changed.add(name)
            self.seen[name] = now
        return changed

    def signature(self, shown: Shown) -> Any:
        """Return what differs after every write, or why there is nothing to look at."""
        try:
            return shown.signature()
        except (PenstockError, OSError) as error:
            return str(error)

    def lives(self, shown: Shown) -> bool:
        """Whether its conductor lives, as of some seconds ago."""
        looked, found = self.held.get(shown.name, (-HOLDER_S, False))
        if (now := time.monotonic()) - looked >= HOLDER_S:
            with suppress(PenstockError, OSError):
                found = find_holder(shown.root, time.time()) is not None
            self.held[shown.name] = (now, found)
        return found


def event(text: str) -> bytes:
    """Return an event with a page."""
    return f"event: page\ndata: {json.dumps(text)}\n\n".encode()

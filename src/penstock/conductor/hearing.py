"""Hearing runners: what their event files have new becomes facts, and what must not go on is paused."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

from penstock.conductor.batching import first_within
from penstock.conductor.contact import revoke
from penstock.conductor.context import Context
from penstock.conductor.finishing import refund_tries
from penstock.conductor.rewritten import Rewritten
from penstock.decide import Seen, fuse
from penstock.ledger import jobs
from penstock.ledger.applying import Applier, Piece
from penstock.ledger.events import News
from penstock.ledger.pauses import blow_fuse, may_be_mended, pause_stages_of
from penstock.site.protocols import JobSite, Life
from penstock.transports.protocol import AT_ONCE

TOGETHER = 4 << 20  # bytes of events in one transaction: half a second, for which others wait

Jobs = Mapping[str, sqlite3.Row]
"""Rows of jobs, by token."""


class Hearing:
    """Applies new events, of all jobs of a site at once."""

    def __init__(self, context: Context) -> None:
        self.context, self.ledger, self.graph = context, context.ledger, context.graph
        self.clock, self.durations = context.clock, context.durations
        self.applier = Applier(context.ledger, context.graph, context.values, context.allowances)
        self.rewritten = Rewritten(context)

    def known(self, heard: Jobs) -> dict[Life, int | None]:
        """Return how far each event file of these jobs was read; None: to its end."""
        rows = jobs.lives_of(self.ledger.db, [job["id"] for job in heard.values()])
        return {life_of(row): None if row["left"] is not None else row["offset"] for row in rows}

    def hear(self, site: JobSite, heard: Jobs) -> int:
        """Apply what is new of jobs whose event files are all known; return how many attempts ended."""
        return self.apply(site, site.new_events(self.known(heard)), heard)

    def hear_last(self, site: JobSite, job: sqlite3.Row, elements: Sequence[int]) -> int:
        """Apply all that runners which are gone wrote: what no mark follows counts if its products prove it."""
        heard, gone = {job["token"]: job}, set(elements)
        known = {life: offset for life, offset in self.known(heard).items() if life[1] in gone}
        return self.apply(site, site.new_events(known), heard, last=True)

    def apply(self, site: JobSite, new: Mapping[Life, bytes], heard: Jobs, *, last: bool = False) -> int:
        """Apply new bytes as far as they count, and ask on for what had no room in the answer; return how many ended."""
        ended = 0
        while new:
            is_all = sum(map(len, new.values())) < AT_ONCE
            left = {life: self.row(heard, life)["offset"] for life in new if not (is_all or new[life])}
            rest = [(life, data) for life, data in new.items() if data]
            while some := first_within(rest, TOGETHER, size=lambda one: len(one[1])):
                rest = rest[len(some) :]
                for life, (offset, news) in self.apply_some(site, dict(some), heard, last=last).items():
                    ended += news.ended
                    if news.consumed:
                        left[life] = offset + news.consumed
            new = {} if is_all else site.new_events(left)
        return ended

    def apply_some(
        self, site: JobSite, new: Mapping[Life, bytes], heard: Jobs, *, last: bool
    ) -> dict[Life, tuple[int, News]]:
        """Apply new bytes of event files; return where each was read from, and its news."""
        rows = {life: self.row(heard, life) for life in new}
        pieces = [self.piece(rows[life], heard[life[0]], data) for life, data in new.items()]
        prove = site.unproven if last else site.misfits
        told = self.applier.apply(
            pieces, now=self.clock.now(), prove=prove, doubt=self.rewritten.among, last=last
        )
        for piece, news in zip(pieces, told, strict=True):
            self.heed(heard[piece.token], news)
        return {life: (rows[life]["offset"], news) for life, news in zip(new, told, strict=True)}

    def piece(self, life: sqlite3.Row, job: sqlite3.Row, data: bytes) -> Piece:
        """Return new bytes of one event file, with what is to know of its job."""
        return Piece(life, job["token"], data, in_array=not job["feed"], away=self.away(job["site"]))

    def away(self, name: str) -> str | None:
        """Return a site if what is made there has to come home."""
        sites = self.context.sites
        return name if not sites.feeding_site(name) and sites.cluster(name).far else None

    def row(self, heard: Jobs, life: Life) -> sqlite3.Row:
        """Read a life's row as it is now."""
        return self.ledger.db.execute(
            "SELECT * FROM life WHERE job = ? AND element = ? AND life = ?",
            (heard[life[0]]["id"], *life[1:]),
        ).fetchone()

    def heed(self, job: sqlite3.Row, news: News) -> None:
        """Pause what must not go on."""
        if news.halt:
            refund_tries(self.ledger, job)
            if not may_be_mended(self.ledger, job):
                pause_stages_of(self.ledger, job, news.halt, now=self.clock.now())
        self.durations.note(news.walls)
        for stage in news.failed:
            self.check_fuse(stage)

    def check_fuse(self, stage: str) -> None:
        """Pause a stage whose first attempts fail the same way."""
        if self.durations.succeeded(stage):
            return
        db, number = self.ledger.db, self.graph.ids[stage]
        since = int(self.ledger.meta(f"fuse.{stage}") or 0)
        rows = db.execute(
            "SELECT outcome, exit_code, CASE WHEN next GLOB 'vetoed:*' THEN 'veto' WHEN next GLOB 'done:*' THEN 'mark' END"
            " FROM attempt WHERE stage = ? AND id > ? AND NOT late ORDER BY id LIMIT 100",
            (number, since),
        )
        why = fuse([Seen(*row) for row in rows])
        if why is None:
            return
        said = db.execute(
            "SELECT why FROM attempt WHERE stage = ? AND why IS NOT NULL ORDER BY id DESC LIMIT 1", (number,)
        ).fetchone()
        why += f": {said[0]}" if said else ""
        blow_fuse(self.ledger, number, why, now=self.clock.now())
        revoke(self.context, f"t.state = 'queued' AND t.stage = {number}")


def life_of(row: sqlite3.Row) -> Life:
    """Return which life a row with its job's token is of."""
    return row["token"], row["element"], row["life"]

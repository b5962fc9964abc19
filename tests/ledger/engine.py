"""The real ledger code, driven step by step without a conductor: what the model is compared with."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.ledger.model import Found, Key

from penstock import config
from penstock.campaign import Allowance, Campaign
from penstock.conductor.context import Context
from penstock.conductor.discovery import Discoverer
from penstock.conductor.durations import Durations
from penstock.conductor.scope import Scope
from penstock.conductor.slots import Given, Slot, SlotSubmitter
from penstock.conductor.staleness import redo_stale
from penstock.decide import RETRIES_LOCAL
from penstock.ledger import Ledger, jobs
from penstock.ledger.applying import Applier, Piece
from penstock.ledger.jobs import Ending, Finisher, allowances_for
from penstock.ledger.registration import register
from penstock.ledger.requests import Requests
from penstock.ledger.unitchanges import admit
from penstock.ledger.units import Values, merge_found, stage_found, stage_unsettled
from penstock.site import Sites
from penstock.sources import Found as Row
from penstock.testing import ManualClock, Outcome, PretendSite

ALLOWED = {**RETRIES_LOCAL, "error": Allowance(1)}


@dataclass
class Engine:
    """One campaign in a ledger in memory."""

    campaign: Campaign
    folder: Path
    lines: dict[tuple[str, Key], tuple[str, dict[str, Any]]] = field(default_factory=dict)
    begun: set[tuple[str, str, Key]] = field(default_factory=set)

    def __post_init__(self) -> None:
        campaign = self.campaign
        self.clock, self.ledger = ManualClock(), Ledger.draft(self.folder)
        self.db = self.ledger.db
        self.graph = register(self.ledger, campaign, config.to_json(campaign), now=0.0)
        self.site = PretendSite(self.folder, rule=None, clock=self.clock, on_disk=False)
        values = Values(self.db, campaign)
        allowances = allowances_for(self.graph.stages, dict.fromkeys(self.graph.stages, ALLOWED))
        measured = Durations(self.ledger, self.graph)
        context = Context(
            self.ledger,
            campaign,
            self.graph,
            values,
            Sites(campaign, here=self.site),
            self.clock,
            measured,
            allowances,
        )
        self.values = values
        self.submitter, self.discoverer = SlotSubmitter(context, self.site), Discoverer(context)
        self.applier = Applier(self.ledger, self.graph, values, allowances)
        self.finisher = Finisher(self.ledger, self.graph, allowances)
        self.requests = Requests(self.ledger, self.graph)
        self.slot: Slot | None = None

    def scan(self, found: Mapping[int, Mapping[Key, Found]], *, accept_gone: bool) -> None:
        """What the Discoverer does, with units that the test made up."""
        opening: set[tuple[int, str]] = set()
        with self.ledger.transaction() as db:
            for level in sorted(found):
                rows = (
                    Row(level, k, dict(f.fields), f.fingerprint) for k, f in found[level].items() if f.resting
                )
                moving = [k for k, f in found[level].items() if not f.resting]
                stage_found(db, level, rows)
                stage_unsettled(db, level, moving)
                difference = merge_found(db, level, now=self.clock.now(), accept_gone=accept_gone)
                admit(db, self.graph, self.values, difference)
                opening |= {
                    (g, "a file is not at rest") for k in moving for g in self.discoverer.groups_of(k)
                }
            self.discoverer.open_groups(opening)

    def give(self, stage: str, key: Key) -> dict[str, Any]:
        """Give a task to the runner, and return the line that the runner reads."""
        if self.slot is None:
            self.slot = self.submitter.open_slot([], self.submitter.node)
        definition = self.graph.stages[stage]
        given = Given(self.submitter.amounts(definition))
        self.submitter.give(definition, self.slot, [self.unit(key)], given)
        (line,) = self.site.runners[self.slot.token].batches.pop().lines
        link: dict[str, Any] | None = line
        while link:
            self.lines[link["s"], key] = (self.slot.token, link)
            self.begun.discard((self.slot.token, link["s"], key))
            link = link.get("then")
        return line

    def start(self, stage: str, key: Key) -> None:
        token, line = self.lines[stage, key]
        self.site.runners[token].begin(line)
        self.begun.add((token, stage, key))
        self.hear(token)

    def end(self, stage: str, key: Key, outcome: Outcome) -> None:
        token, line = self.lines[stage, key]
        if (token, stage, key) not in self.begun:
            self.start(stage, key)
        self.site.runners[token].end(line, outcome)
        self.hear(token)

    def give_back(self, stage: str, key: Key) -> None:
        token, line = self.lines[stage, key]
        self.site.runners[token].give_back(line)
        self.hear(token)

    def hear(self, token: str) -> None:
        """Apply what a runner has written since the last time."""
        job = self.db.execute("SELECT id FROM job WHERE token = ?", (token,)).fetchone()[0]
        (life,) = jobs.lives(self.db, job)
        while data := self.site.events_of(token, life["offset"]):
            (news,) = self.applier.apply([Piece(life, token, data)], now=self.clock.now())
            if not news.consumed:
                break
            (life,) = jobs.lives(self.db, job)

    def lose_job(self) -> None:
        """The runner died: what ran is lost, the rest goes back."""
        if self.slot:
            self.hear(self.slot.token)
            (job,) = [row for row in jobs.open_jobs(self.db) if row["token"] == self.slot.token]
            self.finisher.finish(job, Ending("lost", "its runner ended", suspects=True), now=self.clock.now())
            self.slot = None

    def ask(self, action: str, stage: str | None, key: Key) -> None:
        """Record a request and apply it."""
        target = {"unit": self.unit(key), "stage": stage, "why": "the test wants it"}
        self.db.execute(
            "INSERT INTO request (at, by, action, target) VALUES (0, 'tester', ?, ?)",
            (action, json.dumps(target)),
        )
        self.requests.apply(self.clock.now())

    def redo_stale(self) -> None:
        redo_stale(self.ledger, self.graph, Scope())

    def unit(self, key: Key) -> int:
        sql = "SELECT id FROM unit WHERE level = ? AND key = ?"
        text = json.dumps(key, separators=(",", ":"))
        return self.db.execute(sql, (len(key), text)).fetchone()[0]

    def tasks(self) -> dict[tuple[str, Key], tuple[str, bool]]:
        """The state of every task, and whether it is stale."""
        sql = (
            "SELECT s.name, u.key, t.state, t.stale FROM task t JOIN unit u ON u.id = t.unit"
            " JOIN stage s ON s.id = t.stage"
        )
        return {
            (row[0], tuple(json.loads(row[1]))): (row[2], row[2] == "done" and row[3] is not None)
            for row in self.db.execute(sql)
        }

    def tallied(self) -> Counter[tuple[str, Key, str]]:
        """The counts that the ledger keeps."""
        sql = "SELECT s.name, u.key, y.state, y.n FROM tally y JOIN unit u ON u.id = y.unit JOIN stage s ON s.id = y.stage"
        rows = self.db.execute(sql).fetchall()
        return Counter({(r[0], tuple(json.loads(r[1])), r[2]): r[3] for r in rows if r[3]})

    def recounted(self) -> Counter[tuple[str, Key, str]]:
        """The same counts, made anew from the tasks."""
        counts: Counter[tuple[str, Key, str]] = Counter()
        sql = (
            "SELECT s.name, u.key, t.state, t.stale FROM task t JOIN unit u ON u.id = t.unit"
            " JOIN stage s ON s.id = t.stage"
        )
        for name, key, state, stale in self.db.execute(sql):
            for level in self.graph.counted.get(name, (0,)):
                group = tuple(json.loads(key))[:level]
                counts[name, group, state] += 1
                if stale is not None:
                    counts[name, group, "stale"] += 1
        return counts

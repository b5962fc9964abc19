"""Making a lost or damaged record anew: from the archives and folders of jobs, what people asked for, and the definition."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

from penstock import config
from penstock.campaign import DIGESTS, Campaign, Source
from penstock.clock import Clock, SystemClock
from penstock.conductor.context import Context
from penstock.conductor.discovery import Discoverer
from penstock.conductor.durations import Durations
from penstock.conductor.loop import allowances_of
from penstock.conductor.replaying import Replay
from penstock.display import count
from penstock.errors import Corrupt, LedgerError, OutOfReach
from penstock.ledger import FOLDER, Ledger, draft_database, migrations, restoring
from penstock.ledger.again import ask_again
from penstock.ledger.backup import put_in_place, set_aside_damaged
from penstock.ledger.comparing import compare, lacking
from penstock.ledger.hosts.lease import held
from penstock.ledger.jobs import open_jobs
from penstock.ledger.order import place_all
from penstock.ledger.readiness import Touched, propagate
from penstock.ledger.registration import done_of, register
from penstock.ledger.tallies import recount
from penstock.ledger.unitchanges import add_tasks, link_again, not_begun
from penstock.ledger.units import ROOT, Difference, Values
from penstock.ledger.users import refuse_users
from penstock.machine import Machine
from penstock.site import Sites
from penstock.site.folders import JobFolders
from penstock.site.remains import Remains, read_remains, tokens_at
from penstock.sources import ScanState
from penstock.transports.local import LocalTransport
from penstock.transports.protocol import Transport

NOT_IN_ARCHIVES = (
    "what is in no archive starts afresh: what was learned of sites, which notices were sent, and what changed of units",
    "requests are there without their answers",
)


@dataclass(slots=True)
class Rebuilt:
    """What was rebuilt, and in `lacks` what could not be, a sentence each; `kept`: where the previous record is, if any."""

    jobs: int = 0
    attempts: int = 0
    lacks: list[str] = field(default_factory=list[str])
    kept: Path | None = None


def rebuild(
    campaign: Campaign,
    *,
    clock: Clock | None = None,
    machine: Machine | None = None,
    sites: Sites | None = None,
) -> Rebuilt:
    """Make the record of a campaign anew, and put it in place of the present one when it is whole.

    Raises Held if somebody works on the campaign.
    """
    clock, machine = clock or SystemClock(), machine or Machine.here()
    config.check(campaign)
    root, rebuilt = campaign.root, Rebuilt()
    with ExitStack() as exits, closing(draft_database()) as db:
        readable = is_readable(campaign, machine)
        present = (
            exits.enter_context(held(root, command="ledger rebuild", clock=clock, machine=machine))
            if readable
            else None
        )
        if present is None:
            refuse_users(root)
        migrations.migrate(db, "the new record")
        places = sites or Sites(campaign)
        Rebuilding(campaign, Ledger(db, root=root), clock, sites=places, rebuilt=rebuilt).fill(
            present and present.db
        )
        if present is None:
            rebuilt.kept = set_aside_damaged(root, machine)
            present = exits.enter_context(held(root, command="ledger rebuild", clock=clock, machine=machine))
        before = put_in_place(present, db)
        rebuilt.kept = rebuilt.kept or before
    return rebuilt


def compare_with_archives(campaign: Campaign, *, clock: Clock | None = None) -> list[str]:
    """Make the record anew, aside, and return how the present one differs from that, a sentence each.

    Raises LedgerError while jobs are not over: what they did is not in archives yet.
    """
    clock, rebuilt = clock or SystemClock(), Rebuilt()
    with Ledger.open(campaign.root, readonly=True) as ledger, closing(draft_database()) as db:
        if active := open_jobs(ledger.db):
            raise LedgerError(
                f"{count(len(active), 'job')} are not over: compare with archives when nothing runs"
            )
        migrations.migrate(db, "the new record")
        new = Ledger(db, root=campaign.root)
        Rebuilding(campaign, new, clock, sites=Sites(campaign), rebuilt=rebuilt).fill(None)
        lacks = [line for line in rebuilt.lacks if line not in NOT_IN_ARCHIVES]
        return [*lacks, *compare(db, ledger.db), *lacking(db, ledger.db)]


def is_readable(campaign: Campaign, machine: Machine) -> bool:
    """Whether there is no record, or one that can be opened."""
    try:
        Ledger.open(campaign.root, readonly=True, machine=machine).close()
    except Corrupt:
        return False
    except LedgerError:
        return True
    return True


class Rescan(Discoverer):
    """Scans the sources for a record that knows of some units only their keys."""

    def merge(self, source: Source, state: ScanState, *, accept_gone: bool) -> Difference:
        """Apply the changes that a scan found."""
        restoring.know_scanned(self.ledger.db, source.level)
        return super().merge(source, state, accept_gone=accept_gone)


class Rebuilding:
    """Fills a new record."""

    def __init__(
        self, campaign: Campaign, ledger: Ledger, clock: Clock, *, sites: Sites, rebuilt: Rebuilt
    ) -> None:
        self.campaign, self.ledger, self.db = campaign, ledger, ledger.db
        self.clock, self.sites, self.rebuilt = clock, sites, rebuilt
        self.tokens = set[str]()

    def fill(self, old: sqlite3.Connection | None) -> None:
        """Bring in all there is, and list what there is not."""
        with self.ledger.transaction():
            left = self.add_jobs()
            if old and is_used(old):
                self.add_old(old)
            for remains in left:
                restoring.add_stages(self.db, self.campaign, remains.spec.get("stages", {}))
                lines = (line for batch in remains.batches for line in batch if "key" in line)
                restoring.add_named_units(self.db, self.campaign, lines)
            restoring.complete_groups(self.db)
            restoring.settle_states(self.db)
        context = self.context()
        Rescan(context).discover()
        replay = Replay(context)
        for remains in left:
            replay.repeat(remains)
        self.rebuilt.lacks += ask_again(self.ledger, context.graph)
        if old and is_used(old):  # what was asked for again is in it already
            with self.ledger.transaction():
                self.db.execute("DELETE FROM history")
                self.add_old_history(old)
        self.rebuilt.attempts = self.db.execute("SELECT count(*) FROM attempt").fetchone()[0]
        if old and is_used(old):
            self.rebuilt.lacks += compare(self.db, old)
        else:
            self.rebuilt.lacks += NOT_IN_ARCHIVES

    def add_jobs(self) -> list[Remains]:
        """Bring in the excerpts of all jobs, in the order in which they were made; return the jobs without one."""
        ours = self.sites.folders_here()
        order, left = list[tuple[int, Transport, str, str]](), list[Remains]()
        for transport, site in self.places():
            for token in self.new_tokens(transport, site):
                remains = read_remains(transport, token, site)
                shared = transport.folder not in ours and self.sites.feeding_site(site)  # by campaigns
                if shared and remains.spec.get("root") != str(self.campaign.root):
                    self.tokens.discard(token)
                    continue
                self.rebuilt.lacks += remains.damage
                if remains.excerpt:
                    order.append((remains.excerpt["newest"], transport, token, site))
                elif remains.spec:
                    left.append(remains)
        for _, transport, token, site in sorted(order, key=lambda one: one[0]):
            if excerpt := read_remains(transport, token, site).excerpt:
                restoring.add_excerpt(self.db, excerpt)
        self.rebuilt.jobs = len(self.tokens)
        return sorted(left, key=lambda one: one.intent.get("id", 0))

    def new_tokens(self, transport: Transport, site: str) -> list[str]:
        """Return the jobs at a place that were not seen at another; none of a site that cannot be reached."""
        try:
            found = [token for token in tokens_at(transport) if token not in self.tokens]
        except OutOfReach as error:
            self.rebuilt.lacks.append(f"jobs that are still at site '{site}' are unknown: {error}")
            return []
        self.tokens.update(found)
        return found

    def places(self) -> Iterator[tuple[Transport, str]]:
        """Yield where folders and archives of jobs are."""
        yield LocalTransport(self.campaign.root / FOLDER / "jobs"), "local"
        for name in self.sites.used():
            site = self.sites[name]
            if isinstance(site, JobFolders):
                yield site.transport, name

    def add_old(self, old: sqlite3.Connection) -> None:
        """Bring in what can be read of the previous record and is in no archive."""
        try:
            restoring.add_besides(self.db, old)
            taken = restoring.add_unpacked(self.db, old, self.tokens)
            restoring.add_moves(self.db, old)
        except sqlite3.DatabaseError as error:
            self.rebuilt.lacks.append(f"the previous record cannot be read to its end ({error})")
            return
        if taken:
            said = f"{count(taken, 'attempt')} of jobs without archives"
            self.rebuilt.lacks.append(f"{said} were taken from the previous record")

    def add_old_history(self, old: sqlite3.Connection) -> None:
        """Bring in what the previous record says of changes."""
        try:
            restoring.copy_rows(self.db, old, "history", "SELECT * FROM history")
        except sqlite3.DatabaseError as error:
            self.rebuilt.lacks.append(f"what changed of units cannot be read to its end ({error})")

    def context(self) -> Context:
        """Register the definition, make the tasks that no job had, and return what the rest works with."""
        campaign, ledger, db = self.campaign, self.ledger, self.db
        ledger.set_meta("digests", DIGESTS)
        graph = register(ledger, campaign, config.to_json(campaign), now=self.clock.now())
        values, touched = Values(db, campaign), Touched()
        with ledger.transaction():
            for name in graph.stages:
                link_again(db, graph, values, name, [ROOT], touched)
                add_tasks(db, graph, values, name, 0, touched)
                place_all(db, graph, values, name)
                recount(db, graph, name)
                touched.add(name, [*not_begun(db, graph, name), *done_of(db, graph, name)])
            propagate(db, graph, defaultdict(set), touched)
        durations, allowances = Durations(ledger, graph), allowances_of(campaign, self.sites)
        return Context(ledger, campaign, graph, values, self.sites, self.clock, durations, allowances)


def is_used(old: sqlite3.Connection) -> bool:
    """Whether a record has anything."""
    return old.execute("SELECT 1 FROM definition LIMIT 1").fetchone() is not None

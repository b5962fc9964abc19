"""Finding units: scan the sources, and bring ledger, tasks and open groups to what is there.

Who watches glances at the sources every few seconds: only folders whose time changed are looked into. What times do not
tell (a file written in place, a file system without them) is found by the scan of all, every few minutes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from penstock import sources
from penstock.campaign import Campaign, Source
from penstock.clock import SystemClock
from penstock.conductor.completeness import UNCONFIRMED, confirmed_by_file, open_by_condition
from penstock.conductor.context import Context, recorded_context
from penstock.conductor.replacing import products_among
from penstock.conductor.timekeeping import Timekeeper
from penstock.conductor.unchanged import is_unchanged, nothing_new, remember
from penstock.disk import server_time
from penstock.errors import DefinitionError
from penstock.ledger import FOLDER, Ledger
from penstock.ledger.hosts.lease import held
from penstock.ledger.readiness import Touched, propagate
from penstock.ledger.unitchanges import admit
from penstock.ledger.units import ROOT, Difference, merge_found, stage_found, stage_unsettled
from penstock.units import canonical

SOON_S, SELDOM_S = 2.0, 300.0  # between looks at the sources, after news and at the most
SETTLING_S, SETTLING_AT_MOST_S = 0.05, 10.0  # while a file is not at rest: its time may be another clock's
SLOWNESS, SETTLING_SLOWNESS = 20, 10  # a look that took a second is not repeated for twenty, or ten
GLANCE_S, GLANCE_SLOWNESS = 3.0, 5  # between looks at the times of folders


class Discovery(NamedTuple):
    """What a scan of the sources found."""

    present: int = 0
    new: int = 0
    changed: int = 0
    gone: int = 0
    unsettled: int = 0
    settles_at: float | None = None  # when the next file will be at rest

    def plus(self, difference: Difference, state: sources.ScanState) -> Discovery:
        """Add what one source gave."""
        times = [t for t in (self.settles_at, *(u.ready_at for u in state.unsettled)) if t is not None]
        return Discovery(
            self.present + difference.present,
            self.new + difference.new,
            self.changed + len(difference.changed),
            self.gone + len(difference.gone),
            self.unsettled + len(state.unsettled),
            min(times, default=None),
        )

    def then(self, later: Discovery) -> Discovery:
        """Add what a scan right after this one gave."""
        new, changed, gone = self.new + later.new, self.changed + later.changed, self.gone + later.gone
        return later._replace(new=new, changed=changed, gone=gone)

    @property
    def any_new_events(self) -> bool:
        """Whether anything changed."""
        return bool(self.new or self.changed or self.gone)


class Discoverer:
    """Scans the sources of one campaign."""

    def __init__(self, context: Context) -> None:
        self.pause_s, self.whole_at, self.was_whole = SOON_S, 0.0, True
        self.context = context
        self.ledger, self.campaign, self.graph = context.ledger, context.campaign, context.graph
        self.values, self.clock = context.values, context.clock
        self.times = Timekeeper(context.campaign)
        self.confirmed, self.unconfirmed = set[int](), False

    def discover(self, *, accept_gone: bool = False, open_ended: bool = False) -> Discovery:
        """Scan every source once.

        `open_ended`: more may come, so a group is open until the `complete` of its level is met;
        otherwise one full scan is taken as complete.
        """
        self.was_whole = True
        return self.confirm(lambda: self.scan_all(accept_gone=accept_gone, open_ended=open_ended))

    def confirm(self, scan: Callable[[], Discovery]) -> Discovery:
        """Scan, and once more where a file says that a group is complete: it may have come with members, meanwhile."""
        seen = scan()
        return seen.then(scan()) if self.unconfirmed else seen

    def scan_all(self, *, accept_gone: bool = False, open_ended: bool = False) -> Discovery:
        """Scan all folders of every source."""
        self.confirmed = confirmed_by_file(self.context) if open_ended else set[int]()
        self.times.widen(self.clock.monotonic(), self.server_now)
        looks = [(source, self.look(source)) for source in self.sources]
        return self.apply(looks, accept_gone=accept_gone, open_ended=open_ended)

    def glance(self) -> Discovery:
        """Scan the folders whose times changed, for who watches; the other sources wait for a scan of all."""
        self.was_whole = False
        return self.confirm(self.scan_changed)

    def scan_changed(self) -> Discovery:
        """Scan the folders whose times changed."""
        self.confirmed = confirmed_by_file(self.context)
        due = self.times.narrow(self.clock.monotonic(), self.server_now)
        if due is None:
            return self.scan_all(open_ended=True)
        looks = [(source, self.look_into(source)) for source in due]
        self.unconfirmed = False
        if not looks and not self.campaign.complete:
            return Discovery()
        return self.apply(looks, open_ended=True)

    def apply(
        self,
        looks: Sequence[tuple[Source, sources.ScanState]],
        *,
        accept_gone: bool = False,
        open_ended: bool,
    ) -> Discovery:
        """Record what scans found, in one transaction."""
        opening, seen = set[tuple[int, str]](), Discovery()
        with self.ledger.transaction():
            self.note_settling([u for _, state in looks for u in state.unsettled])
            for source, state in looks:
                difference = self.merge(source, state, accept_gone=accept_gone)
                self.note_problems(source, state, difference)
                self.times.end(source, state, difference)
                opening |= {(g, u.why) for u in state.unsettled for g in self.groups_of(u.key)}
                seen = seen.plus(difference, state)
            closing = open_by_condition(self.context, self.confirmed) if open_ended else {}
            self.unconfirmed = UNCONFIRMED in closing.values()
            self.open_groups(opening | {*closing.items()})
        return seen

    def may_glance(self) -> bool:
        """Whether the times of folders tell where something is new, and the scan of all is not due yet."""
        return self.times.tell_all and self.clock.monotonic() < self.whole_at

    def pause(self, found: Discovery, *, took_s: float, open_ended: bool) -> float:
        """Return in how many seconds to scan again: when the next file is at rest, or, if more may come, now and then.

        That is every few seconds where times of folders tell enough, else soon after news and more and more rarely
        without any; a single scan has no next one.
        """
        self.pause_s = SOON_S if found.any_new_events else min(2 * self.pause_s, SELDOM_S)
        pause = max(self.pause_s, SLOWNESS * took_s) if open_ended else float("inf")
        if open_ended and self.times.tell_all:
            pause = GLANCE_S if self.was_whole else max(GLANCE_S, GLANCE_SLOWNESS * took_s)
            if self.was_whole:
                self.whole_at = self.clock.monotonic() + max(SELDOM_S, SLOWNESS * took_s)
        if found.settles_at is None:
            return pause
        soon = max(SETTLING_S, min(SETTLING_SLOWNESS * took_s, SETTLING_AT_MOST_S))
        return max(soon, min(found.settles_at - self.clock.now(), SETTLING_AT_MOST_S, pause))

    @property
    def sources(self) -> list[Source]:
        """The sources, those of coarser levels first."""
        return sorted(self.campaign.sources, key=lambda source: source.level)

    def look(self, source: Source) -> sources.ScanState:
        """Scan a source into the staging table, which locks nothing that anybody else may want meanwhile.

        Raises DefinitionError if it cannot be read and never could; one that gave units before does not stop the others.
        """
        made, times = products_among(self.context, source), self.times.of(source)
        first = sources.ScanState(self.clock.now(), made=made, times=times)
        if is_unchanged(self.ledger, source, self.campaign, first):
            return sources.ScanState(self.clock.now(), same=True)
        return self.look_into(source)

    def look_into(self, source: Source) -> sources.ScanState:
        """Scan those folders of a source that its times have as due, else all of it, into the staging table."""
        db, made = self.ledger.db, products_among(self.context, source)
        rows = db.execute("SELECT path, fingerprint, since FROM settling").fetchall()
        settling = {row[0]: (row[1], row[2]) for row in rows}
        state = sources.ScanState(
            self.clock.now(), self.server_now, settling, made, times=self.times.of(source)
        )
        db.execute("BEGIN")
        try:
            stage_found(db, source.level, sources.scan(source, self.campaign, state))
            stage_unsettled(db, source.level, (u.key for u in state.unsettled))
        except DefinitionError as error:
            if not has_units(db, source.level):
                raise
            state.failed = True
            state.problems = [
                sources.Problem(f"the units of {self.campaign.levels[source.level - 1]}", str(error))
            ]
        finally:
            db.execute("COMMIT")
        return state

    def merge(self, source: Source, state: sources.ScanState, *, accept_gone: bool) -> Difference:
        """Apply the changes that a scan found; a missing source changes nothing."""
        if state.same:
            return nothing_new(self.ledger.db, source.level)
        difference = merge_found(
            self.ledger.db,
            source.level,
            now=state.now_s,
            accept_gone=accept_gone,
            believe_gone=not (state.missing_roots or state.failed),
            folders=state.times and state.times.due,
        )
        if not (difference.same and state.times and state.times.are_narrow):
            remember(self.ledger, source, state, difference)
        admit(self.ledger.db, self.graph, self.values, difference)
        return difference

    def server_now(self, device: int) -> float | None:
        """Return the time of the file server that has `device`, if the campaign's own folder is there too."""
        if self.ledger.epoch is None:  # a plan writes nothing, and decides nothing
            return self.clock.now()
        return server_time(self.campaign.root / FOLDER, device)

    def note_settling(self, unsettled: Sequence[sources.Unsettled]) -> None:
        """Remember the files that are not at rest, in place of those of the last scan."""
        db = self.ledger.db
        db.execute("DELETE FROM settling WHERE true")
        rows = [(u.path, u.fingerprint, u.since) for u in unsettled]
        db.executemany("INSERT OR REPLACE INTO settling VALUES (?, ?, ?)", rows)

    def note_problems(self, source: Source, state: sources.ScanState, difference: Difference) -> None:
        """Replace the problems that the last scan of this source recorded."""
        db, name = self.ledger.db, f"units.{source.level}"
        db.execute("DELETE FROM problem WHERE source = ?", (name,))
        problems = [(p.subject, p.why) for p in state.problems]
        problems += [
            (root, "this folder of the source does not exist: no unit was marked as gone")
            for root in state.missing_roots
        ]
        if difference.suspicious:
            why = (
                f"{difference.suspicious} units are missing at once, which is suspicious:"
                " is a disk not mounted? `--accept-gone` accepts it"
            )
            problems.append(("units", why))
        db.executemany(
            "INSERT INTO problem (source, subject, why, at) VALUES (?, ?, ?, ?)",
            [(name, subject, why, state.now_s) for subject, why in problems],
        )

    def groups_of(self, key: Sequence[Any]) -> list[int]:
        """Return the groups, the campaign among them, under which a key stands or will stand.

        So is its own unit, where stages of its level wait until it is whole.
        """
        itself = any(self.graph.stages[name].level == len(key) for name in self.graph.held)
        keys = [(level, canonical(key[:level])) for level in range(1, len(key) + itself)]
        rows = [
            self.ledger.db.execute("SELECT id FROM unit WHERE level = ? AND key = ?", pair).fetchone()
            for pair in keys
        ]
        return [ROOT, *(row[0] for row in rows if row)]

    def open_groups(self, opening: set[tuple[int, str]]) -> None:
        """Record which groups are open, and evaluate again the tasks of those that were or are."""
        db = self.ledger.db
        before = {(row[0], row[1]) for row in db.execute("SELECT unit, why FROM opening")}
        if opening == before:
            return
        db.execute("DELETE FROM opening")
        db.executemany("INSERT INTO opening VALUES (?, ?)", sorted(opening))
        touched = Touched()
        for stage in self.graph.stages:
            if self.graph.may_be_open(stage):
                touched.add(stage, {unit for unit, _ in opening ^ before})
        propagate(db, self.graph, {}, touched)


def has_units(db: sqlite3.Connection, level: int) -> bool:
    """Whether a source ever gave units of a level."""
    sql = "SELECT 1 FROM unit WHERE level = ? AND origin = 'source' LIMIT 1"
    return db.execute(sql, (level,)).fetchone() is not None


def check_found(ledger: Ledger, campaign: Campaign, found: Discovery) -> None:
    """Raise DefinitionError if the sources gave nothing and never did."""
    if found.present or found.unsettled or not campaign.sources:
        return
    if ledger.db.execute("SELECT 1 FROM unit WHERE id > 1 LIMIT 1").fetchone() is None:
        raise DefinitionError(sources.explain_nothing(campaign.sources[-1], campaign), file=campaign.file)


def look_for_units(root: Path) -> None:
    """Scan the sources of a campaign without a conductor, by the definition in its record."""
    with held(root, command="look", clock=SystemClock()) as ledger:
        Discoverer(recorded_context(ledger, SystemClock())).discover()

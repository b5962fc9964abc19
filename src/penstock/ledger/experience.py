"""What was learned about each site, so that the next conductor need not learn it again: one row for each.

Times are wall-clock seconds. A clock may be put back, so none is believed further ahead than what it ends may last.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from penstock.clock import is_ahead
from penstock.display import count, show_bytes, show_time
from penstock.ledger import Ledger
from penstock.ledger.locations import count_away

REST_AT_MOST_S = 600.0  # after a refusal
ASK_AT_MOST_S = 600.0  # between two questions to a scheduler, however often it failed to answer
DAY_S = 86_400.0
BUILDING = "building."  # and a site's name, in `meta`


@dataclass(frozen=True, slots=True)
class Experience:
    """What is known of one site."""

    version: str | None = None
    array_size: int | None = None
    accounting: bool | None = None
    limits_told: float | None = None
    """When its scheduler last gave these three."""
    limits_due: float | None = None
    refused: int | None = None
    """The elements of the smallest array that was too large by itself, until the limits are asked for again."""
    most_elements: int | None = None
    """How many are submitted at once since then."""
    times_full: int = 0
    rests_until: float | None = None
    rests_why: str | None = None
    include_until: float | None = None
    """Until when jobs may go to nodes that failed: it refused one that was to avoid them."""
    false_starts: int = 0
    failures: int = 0
    """Questions in a row that it did not answer."""
    ask_due: float | None = None
    away: float | None = None
    """Since when it cannot be reached; until `ask_due` it is then left alone."""
    away_why: str | None = None
    cancel_due: float | None = None
    """When to try again to cancel what has nothing left to do; None: nothing is known to be left."""
    history_asked: bool = False
    history_answered: float | None = None
    """When its accounting last answered, in monotonic seconds of the boot below."""
    boot: str | None = None

    def rests(self, now: float) -> bool:
        """Whether submission is suspended for now."""
        return is_ahead(self.rests_until, now, REST_AT_MOST_S)

    def is_left_alone(self, now: float) -> bool:
        """Whether it could not be reached, and it is too early to try again."""
        return self.away is not None and is_ahead(self.ask_due, now, ASK_AT_MOST_S)

    def includes_all(self, now: float) -> bool:
        """Whether jobs may go to nodes that failed."""
        return is_ahead(self.include_until, now, DAY_S)

    def notes(self, site: str, now: float) -> Iterator[str]:
        """Yield what a person should know about it, a sentence each."""
        if self.most_elements and self.refused:
            yield f"{site} refused {self.refused} elements at once; {self.most_elements} are submitted at a time"
        if self.rests(now) and self.rests_until:
            why = f": {self.rests_why}" if self.rests_why else ""
            yield f"nothing is submitted at {site} until {show_time(self.rests_until, now=now)}{why}"
        if self.includes_all(now) and self.include_until:
            until = show_time(self.include_until, now=now)
            yield f"{site} refused to exclude failed nodes; jobs may run on them until {until}"


def longer(seconds: float, times: int, *, at_most: float) -> float:
    """Return a pause that doubles each time, however often that was.

    >>> [longer(60.0, times, at_most=600.0) for times in (0, 1, 3, 4, 5000)]
    [60.0, 120.0, 480.0, 600.0, 600.0]
    """
    return min(seconds * 2 ** min(times, 30), at_most)


def experience_of(db: sqlite3.Connection, site: str) -> Experience:
    """Return what is known of a site."""
    row = db.execute("SELECT * FROM site WHERE name = ?", (site,)).fetchone()
    if row is None:
        return Experience()
    known = {field.name: row[field.name] for field in fields(Experience)}
    for name in ("accounting", "history_asked"):
        known[name] = None if known[name] is None else bool(known[name])
    return Experience(**known)


def learn(ledger: Ledger, site: str, **facts: Any) -> Experience:
    """Record what is new about a site, and return all that is known."""
    old = experience_of(ledger.db, site)
    new = replace(old, **facts)
    if new != old:
        values = {"name": site, **asdict(new)}
        columns, places = ", ".join(values), ", ".join(f":{name}" for name in values)
        with ledger.transaction() as db:
            db.execute(f"INSERT OR REPLACE INTO site ({columns}) VALUES ({places})", values)
    return new


def forget_pauses(ledger: Ledger) -> None:
    """Try sites that could not be reached at once, as whoever starts a `run` has presumably seen to the way there."""
    with ledger.transaction() as db:
        db.execute("UPDATE site SET ask_due = NULL WHERE away IS NOT NULL")


def notes_on(db: sqlite3.Connection, site: str, now: float) -> Iterator[str]:
    """Yield what a person should know about a site, a sentence each."""
    if absence := absence_of(db, site, now):
        yield absence
    yield from experience_of(db, site).notes(site, now)
    for program, since in builds_at(db, site).items():
        yield build_note(program, site, show_time(since, now=now), is_watched=any_conductor(db))
    if there := files_at(db, site):
        yield there


def files_at(db: sqlite3.Connection, site: str) -> str | None:
    """Say how many products are at a site and not here; None: all are here."""
    found = count_away(db, site)
    if not found.products:
        return None
    are = "is" if found.products == 1 else "are"
    return (
        f"{count(found.products, 'product')} ({show_bytes(found.bytes)}) {are} at {site} and not here:"
        " `penstock fetch` brings them"
    )


def notes_of(db: sqlite3.Connection, now: float) -> Iterator[tuple[str, str]]:
    """Yield each site with what a person should know about it."""
    sql = "SELECT name FROM site UNION SELECT substr(name, ?) FROM meta WHERE name GLOB ? ORDER BY 1"
    for (site,) in db.execute(sql, (len(BUILDING) + 1, f"{BUILDING}*")).fetchall():
        yield from ((site, note) for note in notes_on(db, site, now))


def note_building(ledger: Ledger, site: str, program: str, since: float | None) -> None:
    """Note since when a program is being built at a site; None: it is not."""
    known = dict(builds_at(ledger.db, site))
    new = {name: at for name, at in {**known, program: since}.items() if at is not None}
    if new != known:
        with ledger.transaction():
            ledger.set_meta(f"{BUILDING}{site}", json.dumps(new))


def any_conductor(db: sqlite3.Connection) -> bool:
    """Whether somebody has the lease."""
    return db.execute("SELECT pid FROM lease WHERE pid IS NOT NULL").fetchone() is not None


def build_note(program: str, site: str, since: str, *, is_watched: bool) -> str:
    """Say that a program is being built, or was when nobody looked any more: a build outlives who began it."""
    if is_watched:
        return f"{program} is being built at {site} since {since}: its stages wait"
    return (
        f"the build of {program} at {site} was begun {since}, and nobody looks for its end: the next run does"
    )


def builds_at(db: sqlite3.Connection, site: str) -> Mapping[str, float]:
    """Return the programs that are being built at a site, and since when."""
    row = db.execute("SELECT value FROM meta WHERE name = ?", (f"{BUILDING}{site}",)).fetchone()
    return json.loads(row[0]) if row else {}


def absence_of(db: sqlite3.Connection, site: str, now: float) -> str | None:
    """Say since when a site cannot be reached, and how many jobs are there; None: nothing is known against it."""
    known = experience_of(db, site)
    if known.away is None:
        return None
    out = db.execute("SELECT count(*) FROM job WHERE site = ? AND state <> 'finished'", (site,)).fetchone()[0]
    there = f", {count(out, 'job')} there" if out else ""
    since = show_time(known.away, now=now)
    return f"paused: cannot reach {site} since {since} UTC{there}; {known.away_why}"


def absences(db: sqlite3.Connection, now: float) -> list[str]:
    """Say of each site that cannot be reached since when."""
    names = db.execute("SELECT name FROM site WHERE away IS NOT NULL ORDER BY name").fetchall()
    return [said for (name,) in names if (said := absence_of(db, name, now))]

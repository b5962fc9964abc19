"""Runners' events become facts in the ledger. Events are data, not orders."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

from penstock.campaign import Allowance
from penstock.decide import Failure, Next, after_failure
from penstock.graph import Graph
from penstock.ledger import Ledger, products, tasks
from penstock.ledger.contents import InputFiles
from penstock.ledger.events import Chunk, Event, News, Task, by_stage, news_of, parse_events, why_of
from penstock.ledger.inputs import digests_of
from penstock.ledger.marks import is_whole, note_marked
from penstock.ledger.moved import note_moved, read_moves
from penstock.ledger.readiness import Touched, propagate
from penstock.ledger.reopening import settle_closed
from penstock.ledger.unitchanges import admit
from penstock.ledger.units import Child, Values, insert_children

#: path, size and digest of products → those that are not so, and what is wrong
Prove = Callable[[Sequence[tuple[str, int, str]]], Mapping[str, str]]
#: stage → units that ended well → those of them whose inputs changed meanwhile
Doubt = Callable[[Mapping[str, Collection[int]]], Mapping[str, Collection[int]]]

ATTEMPT = (
    "INSERT INTO attempt (stage, unit, job, outcome, began, ended, wall_s, cpu_s, rss, exit_code, signal, host, log,"
    " log_offset, log_bytes, why, next, result, late) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
)


class Piece(NamedTuple):
    """New bytes of one event file.

    In an array, what a signal ended is left as it is: only the scheduler knows who sent it, and why. `away`: the site
    where the products are, if that is not here.
    """

    life: sqlite3.Row
    token: str
    data: bytes
    in_array: bool = False
    away: str | None = None


class Applier:
    """Applies chunks of events to a ledger, with the policies of one definition."""

    def __init__(
        self, ledger: Ledger, graph: Graph, values: Values, allowances: Mapping[str, Mapping[str, Allowance]]
    ) -> None:
        self.ledger, self.db = ledger, ledger.db
        self.graph, self.values, self.allowances = graph, values, allowances
        self.inputs = InputFiles(graph, values)

    def apply(
        self,
        pieces: Sequence[Piece],
        *,
        now: float,
        prove: Prove = lambda products: {},
        doubt: Doubt = lambda ended: {},
        last: bool = False,
    ) -> list[News]:
        """Apply new bytes of event files and move their offsets, in one transaction; return the result of each.

        An end whose products are not what it says, by `prove`, is not valid; one that `doubt` names is stale from the
        start. `last`: nothing more comes.
        """
        chunks = [self.parse(piece, last=last) for piece in pieces]
        ends = [end for chunk in chunks for end in chunk.ends.values()]
        wrong = prove([product[:3] for end in ends for product in end["products"].values()])
        well = {task: end for chunk in chunks for task, end in chunk.ends.items() if end["o"] == "ok"}
        doubtful = doubt(by_stage(well))
        with self.ledger.transaction():
            for piece, chunk in zip(pieces, chunks, strict=True):
                if chunk.consumed:
                    self.apply_chunk(piece, chunk, wrong, doubtful, now)
        return [news_of(chunk) for chunk in chunks]

    def parse(self, piece: Piece, *, last: bool) -> Chunk:
        """Sort the lines of new bytes."""
        life = piece.life
        return parse_events(
            piece.data, token=piece.token, seq=life["seq"], names=self.graph.names, unread=life["unread"], last=last
        )  # fmt: skip

    def apply_chunk(
        self,
        piece: Piece,
        chunk: Chunk,
        wrong: Mapping[str, str],
        doubtful: Mapping[str, Collection[int]],
        now: float,
    ) -> None:
        """Apply the events of one file."""
        life = piece.life
        if piece.in_array:
            self.hold(life, chunk)
        self.note_life(life, chunk, now)
        changed = self.apply_ends(life, chunk, wrong, now, piece.away)
        self.apply_doubts(changed, doubtful)
        self.apply_starts(life, chunk, piece.away)
        touched = self.apply_gives(life, chunk.gives)
        settle_closed(self.db, self.graph, changed, touched)
        propagate(self.db, self.graph, changed, touched)

    def hold(self, life: sqlite3.Row, chunk: Chunk) -> None:
        """Forget the ends of tasks that a signal cut short and that are still this element's."""
        chunk.gives = [task for task in chunk.gives if task not in chunk.stopped]
        for stage, units in by_stage(dict.fromkeys(chunk.stopped)).items():
            for unit in self.current(life, stage, list(units)):
                if end := chunk.ends.pop((stage, unit), None):
                    chunk.starts[stage, unit] = end

    def note_life(self, life: sqlite3.Row, chunk: Chunk, now: float) -> None:
        """Record how far the file was read and its runner's last event."""
        where = (life["job"], life["element"], life["life"])
        self.db.execute(
            "UPDATE life SET offset = offset + ?, seq = ?, unread = ?, begun = begun + ?, news = ?, left = coalesce(?, left),"
            " beat = coalesce(?, beat) WHERE job = ? AND element = ? AND life = ?",
            (
                chunk.consumed,
                chunk.seq,
                chunk.unread,
                len(chunk.began),
                now,
                chunk.left,
                chunk.beat and json.dumps(chunk.beat),
                *where,
            ),
        )
        if claim := chunk.claim:
            self.db.execute(
                "UPDATE life SET native = ?, host = ?, boot = ?, pid = ?, start = ?, space = ?"
                " WHERE job = ? AND element = ? AND life = ?",
                (*claim.values(), *where),
            )
        if chunk.software:
            self.db.execute(
                "UPDATE life SET software = ? WHERE job = ? AND element = ? AND life = ?",
                (json.dumps(chunk.software, sort_keys=True), *where),
            )
        self.db.executemany(
            "UPDATE batch SET state = 'finished' WHERE job = ? AND element = ? AND number = ?",
            [(life["job"], life["element"], number) for number in chunk.batches],
        )
        self.note_bad(life, chunk.bad, now)

    def note_bad(self, life: sqlite3.Row, whys: Sequence[str], now: float) -> None:
        """Record as problems the events that cannot be true."""
        if not whys:
            return
        folder = self.db.execute("SELECT folder FROM job WHERE id = ?", (life["job"],)).fetchone()[0]
        subject = f"{folder}/{life['element']}.{life['life']}.jsonl"
        self.db.executemany(
            "INSERT INTO problem (source, subject, why, at) VALUES ('events', ?, ?, ?)",
            [(subject, why, now) for why in whys],
        )

    def current(self, life: sqlite3.Row, stage: str, units: Sequence[int]) -> dict[int, sqlite3.Row]:
        """Return the task rows, of these units, that are in a batch of this very element."""
        rows = tasks.states_of(self.db, self.graph.ids[stage], units)
        batches = json.dumps(list({row["batch"] for row in rows.values()}))
        ours = {
            row[0]
            for row in self.db.execute(
                "SELECT id FROM batch WHERE job = ? AND element = ? AND id IN (SELECT value FROM json_each(?))",
                (life["job"], life["element"], batches),
            )
        }
        return {u: r for u, r in rows.items() if r["batch"] in ours and r["state"] in ("queued", "running")}

    def apply_ends(
        self, life: sqlite3.Row, chunk: Chunk, wrong: Mapping[str, str], now: float, away: str | None
    ) -> defaultdict[str, set[int]]:
        """Record attempts and give their tasks a new state; return the units whose tasks changed, by stage."""
        changed = defaultdict[str, set[int]](set)
        grouped, host = by_stage(chunk.ends), (chunk.claim or life)["host"]
        for stage in (name for name in self.graph.stages if name in grouped):
            ends = grouped[stage]
            current = self.current(life, stage, list(ends))
            self.drop_unproven(life, chunk, stage, ends, current, wrong, now)
            good = {u: e for u, e in ends.items() if e["o"] == "ok" and u in current}
            decisions = {
                u: self.decide(stage, current[u], e)
                for u, e in ends.items()
                if u in current and u not in good
            }
            self.db.executemany(
                ATTEMPT,
                [
                    self.attempt(life, host, stage, u, e, decisions.get(u), u not in current)
                    for u, e in ends.items()
                ],
            )
            self.record_products(stage, ends, good, away, taken_up=self.taken_up(life, stage, ends, current))
            self.inputs.note(stage, {u: e["contents"] for u, e in good.items() if e["contents"]})
            tasks.finish(self.db, self.graph, stage, [current[u] for u in good])
            for unit, after in decisions.items():
                tasks.come_back(self.db, self.graph, stage, current[unit], after, now=now)
                self.record_decided(stage, unit, after, ends[unit], now)
            self.after_ok(stage, good, now)
            self.free_followers(life, stage, list(decisions), changed)
            changed[stage].update(good, decisions)
        return changed

    def apply_doubts(self, changed: Mapping[str, set[int]], doubtful: Mapping[str, Collection[int]]) -> None:
        """Mark what was made from inputs that changed meanwhile, and what followed from that in the same worker."""
        for stage, units in changed.items():
            leader = self.graph.stages[stage].follows
            led = tasks.doubtful_among(self.db, self.graph, leader, units) if leader else set[int]()
            tasks.doubt(self.db, self.graph, stage, sorted((units & {*doubtful.get(stage, ())}) | led))

    def drop_unproven(
        self,
        life: sqlite3.Row,
        chunk: Chunk,
        stage: str,
        ends: dict[int, Event],
        current: Mapping[int, sqlite3.Row],
        wrong: Mapping[str, str],
        now: float,
    ) -> None:
        """Remove the ends that are not valid: their tasks count as if they had not ended, and are run again."""
        good = {u: e for u, e in ends.items() if e["o"] == "ok" and u in current}
        void = {**unfit(stage, good, wrong), **self.foreign(stage, good)}
        chunk.starts.update({(stage, unit): ends.pop(unit) for unit in void})
        unbegun = [
            unit
            for unit, row in current.items()
            if unit in ends and row["state"] == "queued" and (stage, unit) not in chunk.began
        ]
        for unit in unbegun:
            void[unit] = f"an end of '{stage}' for a task that its runner did not start: {ends.pop(unit)}"[
                :300
            ]
        self.note_bad(life, [*void.values()], now)

    def after_ok(self, stage: str, good: Mapping[int, Event], now: float) -> None:
        """Do what follows from a success: a follower's inputs are known only now, an expander's children, where files are."""
        definition, number = self.graph.stages[stage], self.graph.ids[stage]
        if definition.follows and good:
            digests = digests_of(self.db, self.graph, stage, list(good))
            rows = [(digest, number, unit) for unit, digest in digests.items()]
            self.db.executemany(
                "UPDATE task SET inputs = ? WHERE stage = ? AND unit = ? AND inputs = ''", rows
            )
        if definition.expands is not None:
            for unit, event in good.items():
                self.expand(stage, unit, event, now)
        if definition.closing and definition.closing.step == "move":
            for unit, event in good.items():
                path, _, digest, _ = event["products"]["moved"]
                note_moved(self.db, (number, unit), read_moves(self.ledger.root / path, digest) or ())

    def free_followers(
        self, life: sqlite3.Row, stage: str, failed: Sequence[int], changed: defaultdict[str, set[int]]
    ) -> None:
        """Take back the tasks that would have run right after one that failed."""
        followers = [name for name, s in self.graph.stages.items() if s.follows == stage] if failed else []
        for name in followers:
            rows = self.current(life, name, failed).values()
            tasks.give_back(self.db, self.graph, name, list(rows), state="waiting")
            units = [row["unit"] for row in rows]
            changed[name].update(units)
            self.free_followers(life, name, units, changed)

    def decide(self, stage: str, row: sqlite3.Row, event: Event) -> Next:
        """Decide what happens after an unsuccessful attempt."""
        verdict = event.get("verdict")
        if verdict == "mark" and not is_whole(self.graph, stage, ()):
            verdict = "permanent"  # by a definition of that day; now its product would be missed
        failure = Failure(event["o"], why_of(event), verdict, row["tries"], row["free"])
        after = after_failure(failure, self.allowances[stage])
        return after._replace(why=f"{after.why} (rule {event['rule']})") if event["rule"] else after

    def attempt(
        self,
        life: sqlite3.Row,
        host: str | None,
        stage: str,
        unit: int,
        event: Event,
        after: Next | None,
        late: bool,
    ) -> tuple[Any, ...]:
        """Return the row of one attempt."""
        worker, offset, length = event["log"] or (None, None, None)
        wall, result = event["wall"], event.get("result")
        return (
            self.graph.ids[stage], unit, life["job"], event["o"], event["at"] - (wall or 0.0), event["at"], wall,
            event.get("cpu"), event.get("rss"), event.get("code"), event.get("signal"), host,
            worker and f"{life['element']}.{worker}.log", offset, length, event.get("why"),
            f"{after.state}: {after.why}" if after else None, result if result is None else json.dumps(result), int(late),
        )  # fmt: skip

    def foreign(self, stage: str, good: Mapping[int, Event]) -> dict[int, str]:
        """Return the units whose ends name files that other tasks make, and what is wrong: such an end is not valid."""
        named = [u for u, event in good.items() if event["products"]]
        if not named:
            return {}
        rows = self.db.execute(
            "SELECT p.unit, p.name, p.path FROM json_each(?) j CROSS JOIN product p ON p.stage = ? AND p.unit = j.value",
            (json.dumps(named), self.graph.ids[stage]),
        )
        own = {(row["unit"], row["name"]): row["path"] for row in rows}
        return {
            unit: f"an end of '{stage}' names {path} as its {name}, which is another task's product"
            for unit in named
            for name, (path, *_) in good[unit]["products"].items()
            if own.get((unit, name)) != path
        }

    def taken_up(
        self, life: sqlite3.Row, stage: str, ends: Mapping[int, Event], current: Mapping[int, sqlite3.Row]
    ) -> set[int]:
        """Return the units of late ends whose tasks a later job has, or had: only that knows what lies at their paths."""
        late = ends.keys() - current.keys()
        if not late:
            return set()
        states = tasks.states_of(self.db, self.graph.ids[stage], late)
        held = {unit for unit, row in states.items() if row["state"] in ("queued", "running")}
        sql = (
            "SELECT DISTINCT a.unit FROM json_each(?) j CROSS JOIN attempt a ON a.stage = ? AND a.unit = j.value"
            " WHERE a.job > ?"
        )
        rows = self.db.execute(sql, (json.dumps([*late]), self.graph.ids[stage], life["job"]))
        return held.union(row["unit"] for row in rows)

    def record_products(
        self,
        stage: str,
        ends: Mapping[int, Event],
        good: Mapping[int, Event],
        away: str | None,
        *,
        taken_up: Collection[int],
    ) -> None:
        """Record what was made, what may have been made by a task that has moved on, and where nothing was."""
        number, others = self.graph.ids[stage], {u: e for u, e in ends.items() if u not in good}
        if away is not None:
            products.record_made_at(self.db, number, good, away)
            return
        products.record_made(self.db, number, good)
        left = {u for u, e in others.items() if e["o"] in ("ok", "node_failure")}
        products.note_possible(self.db, number, left)
        products.note_none(self.db, number, others.keys() - left - set(taken_up))

    def record_decided(self, stage: str, unit: int, after: Next, event: Event, now: float) -> None:
        """Record among people's vetoes and marks what a rule decided, or the stage itself."""
        by, why = f"rule {event['rule']}" if event["rule"] else f"stage {stage}", why_of(event)
        if after.state == "done":
            note_marked(self.db, self.graph, stage, [unit], why=why, by=by)
        if after.state == "vetoed":
            self.db.execute(
                "INSERT INTO veto (unit, stage, by, why, at) VALUES (?, ?, ?, ?, ?)",
                (unit, self.graph.ids[stage], by, why, now),
            )

    def expand(self, stage: str, unit: int, event: Event, now: float) -> None:
        """Add the units that a task made, in the transaction that records its end."""
        parent = self.db.execute("SELECT * FROM unit WHERE id = ?", (unit,)).fetchone()
        children = [Child(value, fields) for value, fields in event["children"]]
        difference = insert_children(self.db, self.graph.ids[stage], parent, children, now=now)
        admit(self.db, self.graph, self.values, difference)

    def apply_starts(self, life: sqlite3.Row, chunk: Chunk, away: str | None) -> None:
        """Note which tasks run now."""
        for stage, starts in by_stage(chunk.starts).items():
            if self.graph.stages[stage].products and away is None:
                clear = [unit for unit, event in starts.items() if event.get("clear") or event["e"] == "end"]
                products.note_possible(self.db, self.graph.ids[stage], clear)
            current = self.current(life, stage, list(starts))
            tasks.start(
                self.db, self.graph, stage, [u for u, row in current.items() if row["state"] == "queued"]
            )

    def apply_gives(self, life: sqlite3.Row, gives: Sequence[Task]) -> Touched:
        """Free the tasks that a runner returned unstarted."""
        touched = Touched()
        for stage, units in by_stage(dict.fromkeys(gives)).items():
            rows = list(self.current(life, stage, list(units)).values())
            tasks.give_back(self.db, self.graph, stage, rows)
            touched.add(stage, [row["unit"] for row in rows])
        return touched


def unfit(stage: str, good: Mapping[int, Event], wrong: Mapping[str, str]) -> dict[int, str]:
    """Return the units with a product that is not what their end says, and what is wrong with it."""
    return {
        unit: f"an end of '{stage}' is not valid: {wrong[path]}; the task is run again"
        for unit, event in (good.items() if wrong else ())
        for path, *_ in event["products"].values()
        if path in wrong
    }

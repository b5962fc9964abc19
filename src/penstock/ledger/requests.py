"""What people request: recorded first, applied by the conductor."""

from __future__ import annotations

import json
import os
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from penstock.clock import SystemClock, is_ahead
from penstock.disk import make_private, read_whole, write_file
from penstock.display import count, them
from penstock.errors import Held
from penstock.graph import Graph
from penstock.ledger import FOLDER, Ledger, tasks
from penstock.ledger.actions import Action, Target, keys_of, note_action
from penstock.ledger.archiving import archive, unarchive
from penstock.ledger.history import append_with
from penstock.ledger.hosts.lease import find_holder, held
from penstock.ledger.hosts.location import find_location
from penstock.ledger.locations import note_wanted, paths_away
from penstock.ledger.marks import chosen_rows, chosen_stages, mark, unmark
from penstock.ledger.pauses import note_resumed
from penstock.ledger.readiness import Touched, propagate
from penstock.ledger.redoing import choose, mark_again, mark_compared
from penstock.ledger.reopening import close, reopen
from penstock.ledger.stored import stored_campaign, stored_graph
from penstock.ledger.unitchanges import drop_left_out, retry_failed, veto_tasks
from penstock.ledger.units import ROOT, Values, under
from penstock.ledger.vetoes import describe, over, show_end, vetoes_of
from penstock.machine import Machine
from penstock.runner.sealed import unseal

LEFT = "requests"  # the folder for requests from hosts that cannot write the ledger
LOOK_S = 1.0
ITS_END = "its end"  # who lifted a veto that held until a time


def ask(root: Path, action: str, target: Target, by: str, *, machine: Machine | None = None) -> str:
    """Record a request and return the answer.

    It is applied at once when no conductor is running, else by the conductor in its next turn. A conductor on
    another host, which has the record there, finds it as a file.
    """
    clock, machine = SystemClock(), machine or Machine.here()
    now, away = clock.now(), find_location(root, machine).copy
    try:
        number = None if away else record_here(root, action, target, by, now, machine)
    except Held:  # an older penstock is at work with it, and finds what is left for it
        number, away = None, True
    other = find_holder(root, now, machine)
    if other and away:
        leave_file(root, action, target, by, now)
    if other:
        return f"asked: {other} will do it in its next turn"
    with held(root, command=action, clock=clock, machine=machine) as ledger:
        number = number or record(ledger, action, target, by, now)
        Requests(ledger, stored_graph(ledger)).apply(clock.now())
        row = ledger.db.execute("SELECT answer FROM request WHERE id = ?", (number,)).fetchone()
        return str(row["answer"])


def record_here(root: Path, action: str, target: Target, by: str, now: float, machine: Machine) -> int:
    """Write a request into the record, which is on this host."""
    with Ledger.open(root, machine=machine) as ledger:
        return record(ledger, action, target, by, now)


def record(ledger: Ledger, action: str, target: Target, by: str, now: float) -> int:
    """Record a request, in the ledger and in `actions.jsonl`."""
    note_action(ledger.root, Action(now, by, action, target, keys_of(ledger.db, target)))
    with ledger.transaction() as db:
        return insert(db, action, target, by, now)


def insert(db: sqlite3.Connection, action: str, target: Target, by: str, now: float) -> int:
    """Put a request into the ledger."""
    sql = "INSERT INTO request (at, by, action, target) VALUES (?, ?, ?, ?)"
    return int(db.execute(sql, (now, by, action, json.dumps(target))).lastrowid or 0)


def leave_file(root: Path, action: str, target: Target, by: str, now: float) -> None:
    """Leave a request as a file, for a conductor on another host."""
    make_private(root / FOLDER / LEFT)
    with Ledger.open(root, readonly=True) as ledger:
        line = note_action(root, Action(now, by, action, target, keys_of(ledger.db, target)))
    write_file(root / FOLDER / LEFT / f"{now:.6f}.{os.getpid()}.json", line)


def take_in(ledger: Ledger) -> None:
    """Put the requests that were left as files into the ledger, each once, also when a crash left its file there."""
    for path in sorted((ledger.root / FOLDER / LEFT).glob("*.json")):
        asked = unseal(read_whole(path) or b"") or {}
        if not asked.keys() >= {"at", "by", "action", "target"}:
            set_aside(ledger, path)
            continue
        with ledger.transaction() as db:
            known = db.execute(
                "SELECT 1 FROM request WHERE at = ? AND by = ? AND action = ? AND target = ?",
                (asked["at"], asked["by"], asked["action"], json.dumps(asked["target"])),
            ).fetchone()
            if not known:
                insert(db, asked["action"], asked["target"], asked["by"], asked["at"])
        path.unlink()


def set_aside(ledger: Ledger, path: Path) -> None:
    """Keep a damaged request under another name, and record it as a problem."""
    damaged = path.with_suffix(".damaged")
    path.rename(damaged)
    why = f"a request of another host is damaged and is kept as {damaged}: request it again"
    ledger.set_problem(f"request {path.stem}", why, SystemClock().now())


def units_of(target: Target) -> list[int]:
    """Return the units that a request is about; an older penstock made one for each."""
    return target["units"] if "units" in target else [target.get("unit") or ROOT]


class Requests:
    """Applies open requests to the tasks."""

    def __init__(self, ledger: Ledger, graph: Graph) -> None:
        self.ledger, self.db, self.graph = ledger, ledger.db, graph
        self.changed = defaultdict[str, set[int]](set)
        self.touched = Touched()
        self.looked = 0.0

    def apply(self, now: float) -> list[sqlite3.Row]:
        """Apply open requests, oldest first; return them."""
        if not is_ahead(self.looked + LOOK_S, now, LOOK_S):
            take_in(self.ledger)
            self.looked = now
        open_ones = self.db.execute("SELECT * FROM request WHERE applied IS NULL ORDER BY id").fetchall()
        for request in open_ones:
            with self.ledger.transaction():
                answer = self.answer(request, now)
                propagate(self.db, self.graph, self.changed, self.touched)
                self.db.execute(
                    "UPDATE request SET applied = ?, answer = ? WHERE id = ?", (now, answer, request["id"])
                )
            self.changed.clear()
        return open_ones

    def answer(self, request: sqlite3.Row, now: float) -> str:
        """Apply one request, and return the answer."""
        actions: dict[str, Callable[[Target, str, float], str]] = {
            "retry": self.retry, "cancel": self.cancel, "veto": self.veto, "unveto": self.unveto, "redo": self.redo,
            "fetch": self.fetch, "compared": self.compared, "down": self.down, "mark": self.mark, "unmark": self.unmark,
            "archive": self.archive, "unarchive": self.unarchive, "close": self.close, "reopen": self.reopen,
        }  # fmt: skip
        action = actions.get(request["action"])
        if action is None:
            return f"nothing done: {request['action']} is unknown to this version"
        return action(json.loads(request["target"]), request["by"], now)

    def note(self, what: str, stage: str, units: Iterable[int], target: Target, by: str) -> None:
        """Add to the history of units what was asked for their tasks of a stage."""
        whys = dict.fromkeys(units, str(target.get("why", "")))
        append_with(self.db, what, whys, stage=self.graph.ids[stage], by=by)

    def stages(self, target: Target) -> list[str]:
        """Return the stages that a request selects."""
        return [name for name in self.graph.stages if target.get("stage") in (None, name)]

    def rows(self, stage: str, target: Target, *states: str) -> list[sqlite3.Row]:
        """Return the tasks that a request selects, of those in `states`."""
        found = chosen_rows(self.db, self.graph, stage, {**target, "units": units_of(target)})
        return [row for row in found if row["state"] in states]

    def retry(self, target: Target, by: str, now: float) -> str:
        """Give failed tasks all their retries again, and resume paused stages."""
        done, resumed = 0, list[str]()
        for stage in self.stages(target):
            units = [row["unit"] for row in self.rows(stage, target, "failed")]
            done += len(retry_failed(self.db, self.graph, stage, units, why=f"requested by {by}"))
            self.note("retry", stage, units, target, by)
            self.changed[stage].update(units)
            self.touched.add(stage, units)
            resumed += [f"stage '{stage}' resumed"] * self.resume(stage)
        tried = [f"{count(done, 'failed task')} will be retried"] if done or not resumed else []
        return ", ".join([*tried, *resumed])

    def redo(self, target: Target, by: str, now: float) -> str:
        """Mark done tasks, and what follows from them, to be redone."""
        return mark_again(self.ledger, self.graph, target, by)

    def fetch(self, target: Target, by: str, now: float) -> str:
        """Let products come home that are at a site, whatever it does with others."""
        paths = paths_away(self.db, self.graph, choose(self.ledger, self.graph, target), target.get("file"))
        note_wanted(self.db, paths)
        return f"{count(len(paths), 'product')} will come home" if paths else "all of that is here already"

    def compared(self, target: Target, by: str, now: float) -> str:
        """Mark the tasks whose products were found to differ from the record."""
        return mark_compared(self.ledger, self.graph, target)

    def resume(self, stage: str) -> bool:
        """End a pause, and return whether there was one; the fuse counts from here on."""
        ended = self.db.execute(
            "UPDATE stage SET paused = NULL, paused_why = NULL WHERE name = ? AND paused IS NOT NULL",
            (stage,),
        )
        newest = self.db.execute("SELECT coalesce(max(id), 0) FROM attempt").fetchone()[0]
        self.ledger.set_meta(f"fuse.{stage}", str(newest))
        note_resumed(self.ledger)
        return ended.rowcount > 0

    def cancel(self, target: Target, by: str, now: float) -> str:
        """Cancel tasks: they count as failed until a person retries them."""
        done = 0
        for stage in self.stages(target):
            rows = self.rows(stage, target, "ready", "queued", "running")
            why = f"{tasks.CANCELLED} {by}"
            tasks.move(
                self.db, self.graph, stage, [tasks.Move(r["unit"], r["state"], "failed", why) for r in rows]
            )
            marked = [row["unit"] for row in rows if row["stale"] is not None]
            tasks.clear_stale(self.db, self.graph, stage, marked)
            self.note("cancel", stage, [row["unit"] for row in rows], target, by)
            self.changed[stage].update(row["unit"] for row in rows)
            done += len(rows)
        back = f"; `penstock retry` brings {them(done)} back" if done else ""
        return f"{count(done, 'task')} cancelled{back}"

    def veto(self, target: Target, by: str, now: float) -> str:
        """Never process units, or all under groups."""
        stage, why, until = target.get("stage"), target["why"], target.get("until")
        self.db.executemany(
            "INSERT INTO veto (unit, stage, by, why, at, until) VALUES (?, ?, ?, ?, ?, ?)",
            [(unit, stage and self.graph.ids[stage], by, why, now, until) for unit in units_of(target)],
        )
        done = kept = 0
        for name in self.stages(target):
            kept += len(self.rows(name, target, "done", "queued", "running"))
            units = veto_tasks(self.db, self.graph, name, units_of(target), describe(by, why, until))
            self.changed[name].update(units)
            done += len(units)
        stays = f"; {count(kept, 'task')} left alone (done, queued or running)" if kept else ""
        end = "" if until is None else f" until {show_end(until)}"
        return f"{count(done, 'task')} vetoed{end}{stays}"

    def unveto(self, target: Target, by: str, now: float) -> str:
        """Lift vetoes."""
        stage = target.get("stage")
        self.db.executemany(
            "UPDATE veto SET lifted = ?, lifted_by = ? WHERE unit = ? AND lifted IS NULL AND (? IS NULL OR stage = ?)",
            [(now, by, unit, stage, stage and self.graph.ids[stage]) for unit in units_of(target)],
        )
        return f"{count(self.free(target), 'task')} no longer vetoed"

    def lift_over(self, now: float) -> None:
        """Lift the vetoes whose time is over."""
        if not (vetoes := over(self.db, now)):
            return
        names = {number: name for name, number in self.graph.ids.items()}
        with self.ledger.transaction() as db:
            for veto in vetoes:
                db.execute(
                    "UPDATE veto SET lifted = ?, lifted_by = ? WHERE id = ?", (now, ITS_END, veto["id"])
                )
                stage = names.get(veto["stage"])
                if stage or veto["stage"] is None:
                    self.free({"unit": veto["unit"], "stage": stage})
            propagate(db, self.graph, self.changed, self.touched)
        self.changed.clear()

    def free(self, target: Target) -> int:
        """Let the tasks go on that no veto holds any more; return how many."""
        done = 0
        for name in self.stages(target):
            vetoed = [row["unit"] for row in self.rows(name, target, "vetoed")]
            still = vetoes_of(self.db, self.graph.ids[name], vetoed)
            units = [unit for unit in vetoed if unit not in still]
            state = self.graph.first_state(name)
            tasks.move(self.db, self.graph, name, [tasks.Move(unit, "vetoed", state) for unit in units])
            self.changed[name].update(units)
            late = [row["unit"] for row in self.rows(name, target, "done") if row["stale"] is not None]
            self.touched.add(name, [*units, *late])
            done += len(units)
        return done

    def mark(self, target: Target, by: str, now: float) -> str:
        """Count tasks as done that somebody else did, where that is wished also of units that a `where` leaves out."""
        if target.get("left_out"):
            for stage in chosen_stages(self.graph, target):
                units = under(self.db, target["units"], self.graph.stages[stage].level)
                tasks.add(self.db, self.graph, stage, [row["id"] for row in units])
        answer = self.moved(*mark(self.db, self.graph, target, by))
        self.drop_left_out(target)
        return answer

    def unmark(self, target: Target, by: str, now: float) -> str:
        """Let marked tasks be done."""
        answer = self.moved(*unmark(self.db, self.graph, target, by))
        self.drop_left_out(target)
        return answer

    def drop_left_out(self, target: Target) -> None:
        """Remove the tasks of units that a `where` leaves out, unless they count as done."""
        values = Values(self.db, stored_campaign(self.ledger))
        for stage in chosen_stages(self.graph, target):
            drop_left_out(self.db, self.graph, values, stage, target["units"], self.touched)

    def moved(self, units: Mapping[str, Iterable[int]], answer: str) -> str:
        """Note which tasks have another state now."""
        for stage, some in units.items():
            self.changed[stage].update(some)
            self.touched.add(stage, some)
        return answer

    def archive(self, target: Target, by: str, now: float) -> str:
        """Put units away: they are never processed and never missed."""
        return archive(self.db, self.graph, target, by, self.touched)

    def unarchive(self, target: Target, by: str, now: float) -> str:
        """Bring archived units back."""
        values = Values(self.db, stored_campaign(self.ledger))
        return unarchive(self.db, self.graph, values, target, by, self.touched)

    def close(self, target: Target, by: str, now: float) -> str:
        """Close a group, whatever the conditions of its level say."""
        return close(self.db, self.graph, target["unit"], by, target.get("why", ""), self.touched)

    def reopen(self, target: Target, by: str, now: float) -> str:
        """Open a closed group."""
        return reopen(self.db, self.graph, target["unit"], by, target.get("why", ""), self.touched)

    def down(self, target: Target, by: str, now: float) -> str:
        """Do nothing here: the conductor that sees it stops."""
        return "the conductor stops"

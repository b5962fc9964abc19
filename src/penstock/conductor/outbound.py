"""What tasks need at a site that does not see the campaign's folder, and how it gets there before they do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from penstock.campaign import Stage
from penstock.conductor.batching import first_within
from penstock.conductor.context import Context
from penstock.conductor.inbound import THERE, forget_missing
from penstock.display import show_bytes
from penstock.errors import DefinitionError
from penstock.ledger.contents import contents_of, forget_contents, note_contents
from penstock.ledger.locations import bytes_at, held_at, locations_of, note_sent
from penstock.site.contents import Blob, Contents, look_at
from penstock.site.far import Changed, FarFolder

SLICE_BYTES = 256 << 20  # that one turn sends: others are waiting
LOT_BYTES = 4 << 30  # of inputs that are sent before their tasks are submitted


class Outbound:
    """Sends inputs and programs to one site."""

    def __init__(self, context: Context, far: FarFolder, site: str) -> None:
        self.context, self.ledger, self.root = context, context.ledger, context.campaign.root
        self.far, self.site = far, site
        self.slice_bytes = SLICE_BYTES
        self.inputs = Contents(self.root)  # of the array that is looked at

    def at_hand(self, units: Sequence[int], copied: Mapping[int, Sequence[str]]) -> list[int]:
        """Return the first of these units whose inputs are all there; none as long as some still have to be sent.

        `copied`: the inputs of each unit. A part of what is missing is sent.
        """
        paths = set[str]().union(*copied.values())
        there = self.made_there(paths)
        if forget_missing(self.context, self.far, self.site, there):
            return []
        self.inputs = self.contents(paths - there)
        units = self.first_lot(units, copied)
        self.tell_room(is_full=not units)
        if units:
            self.settle()
        needed = {blob.digest: blob for unit in units for blob in self.needed_by(copied[unit])}
        if not needed:
            return units
        self.note(units, copied)
        missing = [needed[digest] for digest in self.far.hold(needed.values())]
        some = first_within(missing, self.slice_bytes, size=lambda blob: blob.size)
        sent = self.deliver(lambda: self.far.send(some), paths)
        return units if sent and len(some) == len(missing) else []

    def deliver(self, send: Callable[[], None], paths: Iterable[str]) -> bool:
        """Send what these files of ours hold; return False, and say so, when one changed meanwhile and is looked at again."""
        problem = f"sending to {self.site}"
        try:
            send()
        except Changed as error:
            with self.ledger.transaction() as db:
                forget_contents(db, paths)
            self.ledger.set_problem(problem, f"{error}: it is looked at again", self.context.clock.now())
            return False
        self.ledger.set_problem(problem, None, self.context.clock.now())
        return True

    def made_there(self, paths: Iterable[str]) -> set[str]:
        """Return those inputs that were made at the site, where they are used as they are."""
        found = locations_of(self.ledger.db, paths)
        return {path for path, location in found.items() if location.site == self.site}

    def needed_by(self, paths: Iterable[str]) -> list[Blob]:
        """Return what must be in the store for these inputs."""
        return [blob for path in paths for blob in self.inputs.blobs.get(path, ())]

    def first_lot(self, units: Sequence[int], copied: Mapping[int, Sequence[str]]) -> list[int]:
        """Return as many units as their inputs may take together there."""
        taken, lot, lot_bytes = bytes_at(self.ledger.db, self.site), list[int](), 0
        known, seen, limit = held_at(self.ledger.db, self.site), set[str](), self.far.site.disk_bytes
        for unit in units:
            new = {b.digest: b.size for b in self.needed_by(copied[unit]) if b.digest not in seen}
            lot_bytes += sum(new.values())
            more = sum(size for digest, size in new.items() if digest not in known)
            if (lot and lot_bytes > LOT_BYTES) or (more and taken and limit and taken + more > limit):
                break
            taken += more
            seen.update(new)
            lot.append(unit)
        return lot

    def tell_room(self, *, is_full: bool) -> None:
        """Say that inputs wait for room there, or no longer do."""
        limit = show_bytes(self.far.site.disk_bytes or 0)
        why = f"its `disk` of {limit} is used up: inputs wait until something there is not needed any more; raise it, or fetch"
        self.ledger.set_problem(f"room at {self.site}", why if is_full else None, self.context.clock.now())

    def note(self, units: Sequence[int], copied: Mapping[int, Sequence[str]]) -> None:
        """Record what the store has, or soon will, before anything is sent."""
        rows = [(blob.digest, unit, blob.size) for unit in units for blob in self.needed_by(copied[unit])]
        with self.ledger.transaction() as db:
            note_sent(db, self.site, rows)

    def stored(self, paths: Iterable[str]) -> dict[str, Any]:
        """Return, as a runner reads it, which of these inputs are in the store; raises DefinitionError if one cannot be read."""
        if wrong := next((path for path in paths if path in self.inputs.unreadable), None):
            raise DefinitionError(f"the input {wrong} {self.inputs.unreadable[wrong]}")
        return {path: self.inputs.named(path) for path in paths if path in self.inputs.blobs}

    def settle(self) -> None:
        """Take the campaign's folder there; raises Held when another machine's campaign has it."""
        if not self.ledger.meta(f"{THERE}.{self.site}"):
            with self.ledger.transaction():
                self.ledger.set_meta(f"{THERE}.{self.site}", "1")
        self.far.own()

    def put_programs(self, stages: Sequence[Stage]) -> bool:
        """Put the campaign's own files that stages run where they run there; return False if one changed meanwhile."""
        names = {name for stage in stages for name in stage.code if not name.startswith("/")}
        programs = self.contents(names).programs()
        return self.deliver(lambda: self.far.put(programs), names)

    def contents(self, paths: Iterable[str]) -> Contents:
        """Look at inputs or programs; what has to be digested is digested once for a size and time."""
        found = look_at(self.root, paths, known=lambda seen: contents_of(self.ledger.db, seen))
        if found.fresh:
            with self.ledger.transaction() as db:
                note_contents(db, found.fresh)
        return found

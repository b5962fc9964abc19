"""What groups wait for and what is redone, in sets and dicts: literal, slow, with nothing of the engine but its definitions.

What happened is kept as facts: which units there are, how each task last ended, who vetoed what. What follows from the
facts, the state of every task, is worked out from nothing whenever it is asked for.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from penstock.campaign import After, Stage

Key = tuple[Any, ...]
MOVING = {"waiting", "ready", "queued", "running"}
MOST_LOST = 0.2
FEW_LOST = 3


@dataclass
class Unit:
    fields: dict[str, Any] = field(default_factory=dict)
    fingerprint: str | None = None
    origin: str = "group"  # group, source, or the stage that made it
    gone: bool = False


@dataclass
class Task:
    held: str | None = None  # queued or running
    ended: str | None = None  # done or failed; None: still to do
    tries: int = 0
    free: int = 0
    made: Any = None  # what it was made from, when it was last given out
    product: str | None = None
    stale: bool = False
    meanwhile: bool = False  # its own input changed while it was held


@dataclass(frozen=True)
class Found:
    fields: Mapping[str, Any]
    fingerprint: str
    resting: bool = True


@dataclass(frozen=True)
class Veto:
    stage: str | None
    key: Key


class Model:
    """A campaign that only knows the rules."""

    def __init__(self, stages: tuple[Stage, ...], levels: tuple[str, ...]) -> None:
        self.stages = {stage.name: stage for stage in stages}
        self.levels = levels
        self.units: dict[Key, Unit] = {(): Unit()}
        self.tasks: dict[tuple[str, Key], Task] = {}
        self.vetoes: list[Veto] = []
        self.unsettled: set[Key] = set()
        self.follow()

    # --- what depends on what -------------------------------------------------------------------

    def is_group(self, stage: str) -> bool:
        """Coarser than one of its upstreams."""
        mine = self.stages[stage]
        return any(not a.key and self.stages[a.stage].level > mine.level for a in mine.after)

    def expanders(self, stage: str) -> list[str]:
        """The stages that may add to what this one merges: implicit upstreams."""
        mine = self.stages[stage]
        deepest = max((self.stages[a.stage].level for a in mine.after), default=0)
        return [
            name
            for name, x in self.stages.items()
            if x.expands is not None and name != stage and mine.level < x.expands <= deepest
        ]

    def upstream_tasks(self, key: Key, after: After, stage: str) -> list[Key]:
        """The tasks of `after` whose keys agree with `key` on the levels that they share, or that fields name."""
        up = self.stages[after.stage]
        if after.key:
            values = self.values(key)
            named = tuple(values.get(template.text.strip("{}")) for template in after.key)
            wanted = [named]
        elif up.level > len(key):
            wanted = [k for s, k in self.tasks if s == up.name and k[: len(key)] == key]
        else:
            wanted = [key[: up.level]]
        return sorted(k for k in set(wanted) if (up.name, k) in self.tasks)

    def under(self, key: Key, stage: str) -> list[Key]:
        """The keys of the tasks of `stage` under a group, or of the one above a key."""
        return sorted(k for s, k in self.tasks if s == stage and k[: len(key)] == key[: len(k)])

    def values(self, key: Key) -> dict[str, Any]:
        """Fields of all groups above a key, its own, and the key itself."""
        values: dict[str, Any] = {}
        for depth in range(1, len(key) + 1):
            values |= self.units[key[:depth]].fields
        return values | dict(zip(self.levels, key, strict=False))

    # --- states ---------------------------------------------------------------------------------

    def state(self, stage: str, key: Key) -> str:
        task = self.tasks[stage, key]
        if task.held:
            return task.held
        if task.ended == "done":
            return "done"
        if self.vetoed(stage, key):
            return "vetoed"
        if self.units[key].gone:
            return "gone"
        if task.ended == "failed":
            return "failed"
        return self.allowed(stage, key)

    def vetoed(self, stage: str, key: Key) -> bool:
        return any(v.stage in (None, stage) and key[: len(v.key)] == v.key for v in self.vetoes)

    def allowed(self, stage: str, key: Key) -> str:
        """What the upstreams allow: ready, waiting or blocked."""
        mine = self.stages[stage]
        blocked = waiting = empty = False
        for after in mine.after:
            upstream = self.upstream_tasks(key, after, stage)
            states = [self.state(after.stage, k) for k in upstream]
            blocked |= any(self.doubtful(after.stage, k) for k in upstream)
            if not after.key and self.stages[after.stage].level > mine.level:
                members = [s for s in states if s not in ("vetoed", "gone")]
                failed = any(s in ("failed", "blocked") for s in members)
                blocked |= failed and mine.members == "all"
                waiting |= any(s in MOVING for s in members)
                empty |= "done" not in members and mine.empty == "block"
            elif not states:
                blocked |= not after.optional
            else:
                blocked |= states[0] in ("vetoed", "failed", "blocked", "gone")
                waiting |= states[0] in MOVING
        for name in self.expanders(stage):
            states = [self.state(name, k) for k in self.under(key, name)]
            waiting |= any(s in MOVING for s in states)
            blocked |= mine.members == "all" and any(s in ("failed", "blocked") for s in states)
        if self.is_group(stage):
            waiting |= any(k[: len(key)] == key and len(k) > len(key) for k in self.unsettled)
        if blocked:
            return "blocked"
        return "waiting" if waiting else "blocked" if empty else "ready"

    def doubtful(self, stage: str, key: Key) -> bool:
        """Whether it is done, but was made while its input changed."""
        task = self.tasks[stage, key]
        return self.state(stage, key) == "done" and task.stale and task.meanwhile

    def states(self) -> dict[tuple[str, Key], str]:
        return {(stage, key): self.state(stage, key) for stage, key in self.tasks}

    # --- what a task is made from ---------------------------------------------------------------

    def made_of(self, stage: str, key: Key) -> tuple[Any, Any]:
        """Its own input with what stands beside or above it, and its members."""
        mine, above = self.stages[stage], [self.units[key[:depth]] for depth in range(1, len(key) + 1)]
        own: list[Any] = [[unit.fingerprint for unit in above], sorted(self.values(key).items())]
        members: list[Any] = []
        for after in mine.after:
            finer = not after.key and self.stages[after.stage].level > mine.level
            for k in self.upstream_tasks(key, after, stage):
                upstream = self.tasks[after.stage, k]
                if self.state(after.stage, k) == "done":
                    (members if finer else own).append((after.stage, k, upstream.product))
        return own, members

    def read_now(self, stage: str, key: Key) -> bool:
        """Whether a reader of its products is queued or running."""
        for name, reader in self.stages.items():
            edges = [a for a in reader.after if a.stage == stage]
            for (s, k), task in self.tasks.items():
                if s == name and task.held:
                    if any(key in self.upstream_tasks(k, a, name) for a in edges):
                        return True
                    if stage in self.expanders(name) and key in self.under(k, stage):
                        return True
        return False

    def follow(self) -> None:
        """Make the tasks that are missing, and see what is stale, or a group that is to be redone."""
        for stage in self.stages.values():
            for key, unit in self.units.items():
                if len(key) == stage.level and not unit.gone and self.holds(stage, key):
                    self.tasks.setdefault((stage.name, key), Task())
        order = list(
            self.stages
        )  # upstreams first: a group is looked at when its members are what they will be
        while any(self.compare(*task) for task in sorted(self.tasks, key=lambda task: order.index(task[0]))):
            pass

    def holds(self, stage: Stage, key: Key) -> bool:
        if stage.where is None:
            return True
        values = self.values(key)
        return set(stage.where.names) <= set(values) and bool(stage.where.evaluate(values))

    def compare(self, stage: str, key: Key) -> bool:
        """Mark one done task as stale or not; say whether it is now to be redone."""
        task, late = self.tasks[stage, key], self.stages[stage].late
        if self.state(stage, key) != "done" or self.allowed(stage, key) != "ready":
            return False
        own, members = self.made_of(stage, key)
        if task.made == "unknown":
            task.stale = True
            return False
        other_members = members != task.made[1] and late != "ignore"
        task.stale = other_members or own != task.made[0]
        task.meanwhile &= task.stale
        if other_members and late == "redo" and self.may_be_redone(stage, key):
            task.ended = None
            return True
        return False

    def may_be_redone(self, stage: str, key: Key) -> bool:
        overruled = self.vetoed(stage, key) or self.units[key].gone
        return self.allowed(stage, key) == "ready" and not overruled and not self.read_now(stage, key)

    def awaits(self, stage: str, key: Key) -> bool:
        """Whether one of its upstreams is stale, too, and will be redone."""
        upstreams = [
            (a.stage, k) for a in self.stages[stage].after for k in self.upstream_tasks(key, a, stage)
        ]
        upstreams += [(name, k) for name in self.expanders(stage) for k in self.under(key, name)]
        return any(
            self.state(s, k) == "done"
            and self.tasks[s, k].stale
            and not (self.vetoed(s, k) or self.units[k].gone)
            and self.allowed(s, k) != "blocked"
            for s, k in upstreams
        )

    # --- what happens ---------------------------------------------------------------------------

    def look(self, found: Mapping[int, Mapping[Key, Found]], *, accept_gone: bool = False) -> None:
        """See what the sources give, the coarser first, and then which groups are open."""
        for level in sorted(found):
            self.scan(level, found[level], accept_gone=accept_gone)
        self.unsettled = {k for there in found.values() for k, f in there.items() if not f.resting}
        self.follow()

    def scan(self, level: int, found: Mapping[Key, Found], *, accept_gone: bool) -> None:
        """See what the source of one level gives."""
        known = {k for k, u in self.units.items() if len(k) == level and u.origin == "source" and not u.gone}
        resting = {k: f for k, f in found.items() if f.resting}
        for key in resting:
            for depth in range(1, level):
                self.units.setdefault(key[:depth], Unit())
        changed = [
            k
            for k, f in resting.items()
            if k in self.units
            and (self.units[k].fields, self.units[k].fingerprint) != (f.fields, f.fingerprint)
        ]
        missing = known - found.keys()
        for key, seen in resting.items():
            self.units[key] = Unit(dict(seen.fields), seen.fingerprint, "source")
        most = max(FEW_LOST, MOST_LOST * len(known | resting.keys()))
        everything = 1 < len(missing) == len(known | resting.keys())
        if accept_gone or (len(missing) <= most and not everything):
            self.miss(missing)
        self.renew(changed)
        self.follow()

    def miss(self, keys: set[Key]) -> None:
        """Their input was removed."""
        for key in keys:
            self.units[key].gone = True
            self.forget_failures(key, under=False)

    def renew(self, changed: list[Key]) -> None:
        """A changed input tries again what failed on it; a `where` that no longer holds leaves its task out."""
        for (_, key), task in self.tasks.items():
            touched = any(key[: len(k)] == k for k in changed)
            if touched and task.held:
                task.meanwhile = True
            elif touched and task.ended == "failed":
                task.ended, task.tries, task.free = None, 0, 0
        for stage, key in list(self.tasks):
            task, touched = self.tasks[stage, key], any(key[: len(k)] == k for k in changed)
            out = touched and not self.units[key].gone and not self.holds(self.stages[stage], key)
            if out and not task.held and task.ended != "done":
                del self.tasks[stage, key]

    def forget_failures(self, key: Key, *, under: bool = True, stage: str | None = None) -> None:
        for (s, k), task in self.tasks.items():
            meant = (k[: len(key)] == key if under else k == key) and stage in (None, s)
            if meant and not task.held and task.ended != "done":
                task.ended, task.tries, task.free = None, 0, 0

    def followers(self, stage: str, key: Key) -> Iterator[str]:
        """The tasks that go into the same worker right after this one."""
        for name, follower in self.stages.items():
            if follower.follows == stage and (name, key) in self.tasks and self.state(name, key) == "waiting":
                yield name
                yield from self.followers(name, key)

    def held_followers(self, stage: str, key: Key) -> list[str]:
        """The tasks in its batch that would have run right after it."""
        after = [name for name, s in self.stages.items() if s.follows == stage]
        return [name for name in after if (name, key) in self.tasks and self.tasks[name, key].held]

    def give(self, stage: str, key: Key) -> None:
        """Put a ready task, and its followers, into a batch."""
        chain = [stage, *self.followers(stage, key)]
        for name in chain:
            task = self.tasks[name, key]
            task.made, task.product = self.made_of(name, key) if name == stage else None, None
        for name in chain:
            task = self.tasks[name, key]
            task.held, task.ended, task.meanwhile = "queued", None, False
        self.follow()

    def start(self, stage: str, key: Key) -> None:
        self.tasks[stage, key].held = "running"

    def end_well(
        self, stage: str, key: Key, product: str, children: Mapping[Any, dict[str, Any]] | None = None
    ) -> None:
        task = self.tasks[stage, key]
        task.held, task.ended, task.product = None, "done", product
        task.tries = task.free = 0
        task.stale = task.meanwhile
        if self.stages[stage].follows and task.made is None:
            task.made = "unknown" if task.meanwhile else self.made_of(stage, key)
        if self.stages[stage].expands is not None:
            self.expand(stage, key, children or {})
        self.follow()

    def expand(self, stage: str, parent: Key, children: Mapping[Any, dict[str, Any]]) -> None:
        """Children count only from a successful end, all at once."""
        before = {k for k, u in self.units.items() if k[:-1] == parent and k and u.origin == stage}
        given = {(*parent, value): fields for value, fields in children.items()}
        changed = [k for k in before & given.keys() if self.units[k].fields != given[k]]
        for key, fields in given.items():
            self.units[key] = Unit(dict(fields), None, stage)
        self.miss({k for k in before - given.keys() if not self.units[k].gone})
        self.renew(changed)

    def end_badly(self, stage: str, key: Key, *, verdict: str | None = None, free: bool = False) -> None:
        """An error is tried once more, a lost one five times, a permanent one never; followers go back."""
        task = self.tasks[stage, key]
        task.held = None
        for name in self.held_followers(stage, key):
            self.give_back(name, key)
        if free:
            task.free += 1
            task.ended = "failed" if task.free > 5 else None
        else:
            task.tries += 1
            task.ended = "failed" if verdict == "permanent" or task.tries > 1 else None
        if verdict == "veto":
            self.vetoes.append(Veto(stage, key))
        self.calm(stage, key)
        self.follow()

    def lose(self, running: list[tuple[str, Key]], queued: list[tuple[str, Key]]) -> None:
        """Their runner died: what ran is a free failure, the rest was never begun."""
        for task in queued + running:
            self.tasks[task].held = None
        for task in queued:
            self.calm(*task)
        for task in running:
            self.end_badly(*task, free=True)
        self.follow()

    def give_back(self, stage: str, key: Key) -> None:
        """A task comes back unstarted, and costs nothing; followers come back with it."""
        self.tasks[stage, key].held = None
        for name in self.held_followers(stage, key):
            self.give_back(name, key)
        self.calm(stage, key)
        self.follow()

    def calm(self, stage: str, key: Key) -> None:
        """What is vetoed or gone forgets that it failed."""
        task = self.tasks[stage, key]
        if self.vetoed(stage, key) or self.units[key].gone:
            task.ended, task.tries, task.free = None, 0, 0

    def veto(self, stage: str | None, key: Key) -> None:
        self.vetoes.append(Veto(stage, key))
        self.forget_failures(key, stage=stage)
        self.follow()

    def unveto(self, stage: str | None, key: Key) -> None:
        self.vetoes = [v for v in self.vetoes if v.key != key or stage not in (None, v.stage)]
        self.follow()

    def retry(self, stage: str | None, key: Key) -> None:
        for (s, k), task in self.tasks.items():
            if stage in (None, s) and k[: len(key)] == key and self.state(s, k) == "failed":
                task.ended, task.tries, task.free = None, 0, 0
        self.follow()

    def redo_stale(self, order: list[str]) -> None:
        """Make stale tasks to be done again, those of the first stage that has any which may be."""
        for stage in order:
            stale = [k for (s, k), t in self.tasks.items() if s == stage and t.ended == "done" and t.stale]
            free = [k for k in stale if not self.tasks[stage, k].held and self.may_be_redone(stage, k)]
            free = [k for k in free if not self.awaits(stage, k)]
            for key in free:
                self.tasks[stage, key].ended = None
            if free:
                break
        self.follow()

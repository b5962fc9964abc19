"""Ended attempts: each is published at once, those of a turn are reported together, those of a second made durable."""

import os
import time
from typing import Callable, Dict, Iterable, Iterator, List, Optional, Set, Tuple

from .claim import TaskId
from .digests import sync_path, sync_tree
from .errors import TaskFailure, Unwell, explain
from .events import LINE_LIMIT, Events, encode, members
from .files import remove
from .outcomes import Result
from .products import Made, publish, take_back
from .revoked import Revocations
from .slots import Attempt

GROUP_S = 1.0
GROUP_SIZE = 2000  # ends
GROUP_PRODUCTS = 200
GROUP_BYTES = 250000  # of their lines: with the longest one well below what a conductor reads at once
GIVES_A_LINE = 1000
HEAD_BYTES = 1000


class End:
    """One ended attempt on its way into the event file."""

    def __init__(self, attempt: Attempt, result: Result, *, wall: float, log_end: int) -> None:
        self.work = attempt.work
        self.at = time.time()
        self._attempt = attempt
        self._result = result
        self._wall = wall
        self._log_length = log_end - attempt.offset
        self._published: List[Tuple[Made, os.stat_result]] = []

    @property
    def ok(self) -> bool:
        return self._result.outcome == "ok"

    @property
    def outcome(self) -> str:
        return self._result.outcome

    @property
    def why(self) -> str:
        return self._result.why

    @property
    def made(self) -> Tuple[Made, ...]:
        return self._result.made

    def publish(self, revocations: Revocations) -> None:
        """Give the products their names, none of a task that was revoked meanwhile; where that fails, `spoil` must follow."""
        if not self.made:
            return
        plans = {plan.name: plan for plan in self._attempt.planned}
        for made in self.made:
            if revocations.cover(self.work.stage.id, self.work.unit):
                self.spoil("cancelled", "revoked before its products were published")
                return
            self._published.append((made, publish(made, plans[made.name])))
        fresh = tuple([made._replace(mtime_ns=status.st_mtime_ns) for made, status in self._published])
        self._result = self._result._replace(made=fresh)

    def spoil(self, outcome: str, why: str, verdict: str = "") -> None:
        """Turn a success into a failure, because it could not be published or told; nothing of it stays published."""
        for made, status in self._published:
            take_back(made, status)
        for made in self.made:
            remove(made.held)
        self._result = self._result._replace(
            outcome=outcome, why=why, verdict=verdict, made=(), result="", children=""
        )

    def drop_contents(self) -> bool:
        """Tell nothing of inputs; return whether there was anything to tell."""
        had, self._result = bool(self._result.contents), self._result._replace(contents=())
        return had

    def render(self) -> str:
        attempt, result, number = self._attempt, self._result, self._attempt.slot.number
        text = '"s":%d,"u":%d,"w":%d,"o":"%s","wall":%.4f,"cpu":%.6f,"rss":%d,"log":[%d,%d,%d]' % (
            self.work.stage.id,
            self.work.unit,
            number,
            result.outcome,
            self._wall,
            attempt.cpu,
            attempt.rss,
            number,
            attempt.offset,
            self._log_length,
        )
        text += ',"code":%s,"signal":%s,"products":' % (_number(result.code), _number(result.signal))
        made = {one.name: (one.shown, one.size, one.digest, one.mtime_ns) for one in result.made}
        text += encode(made) if made else "{}"
        if not self.ok:
            given = {"why": result.why, "verdict": result.verdict, "rule": result.rule}
            return text + "," + members({n: v for n, v in given.items() if v or n == "why"})
        if result.contents:
            text += ',"contents":' + encode(result.contents)
        text += ',"result":' + result.result if result.result else ""
        return text + (',"children":' + result.children if result.children else "")


def _number(value: Optional[int]) -> str:
    return "null" if value is None else str(value)


class Group:
    """Publish and report ends; make what was reported durable together, at the latest a second later."""

    def __init__(self, events: Events, revocations: Revocations) -> None:
        self.due: Optional[float] = None
        self.trouble: Optional[str] = None  # why the place is found unwell
        self._events = events
        self._revocations = revocations
        self._gives: Dict[str, List[TaskId]] = {}
        self._told: List[End] = []  # ends that no mark follows yet
        self._bytes = 0  # of their lines
        self._products = 0
        self._fresh: Set[str] = set()

    def add(self, end: End, fresh: Iterable[str]) -> None:
        """Publish an end's products and report it; its line is written before the runner waits."""
        self._set_due()
        self._publish(end)
        line = self._end_line(end)
        if self._told and self._bytes + len(line) > GROUP_BYTES:
            self.flush()
            self._set_due()
        self._events.hold(line)
        self._told.append(end)
        self._fresh.update(fresh)
        self._products += len(end.made)
        self._bytes += len(line)
        full = self._products >= GROUP_PRODUCTS or self._bytes >= GROUP_BYTES
        if full or len(self._told) >= GROUP_SIZE:
            self.flush()

    def give(self, task: TaskId, why: str) -> None:
        """Report that a task is returned unstarted."""
        self._set_due()
        self._gives.setdefault(why, []).append(task)

    def note_batch(self, number: int) -> None:
        """Report that a batch is finished, after the ends of its tasks."""
        self._set_due()
        self._events.write([*self._take_gives(), self._events.line("batch", members({"number": number}))])

    def _set_due(self) -> None:
        if self.due is None:
            self.due = time.monotonic() + GROUP_S

    def flush(self) -> None:
        """Make products durable, then write the mark that says so and make the events durable."""
        if self.due is None:
            return
        lines = list(self._take_gives())
        try:
            self._sync_products()
        except OSError as error:
            self.trouble = str(explain(error, "products cannot be made durable"))
            lines.append(self._void_line(self.trouble))
        lines.append(self._events.line("sync", members({"ends": len(self._told)})))
        self._events.write(lines)
        self._events.sync()
        self._told, self._fresh = [], set()
        self._products, self._bytes, self.due = 0, 0, None

    def _take_gives(self) -> Iterator[str]:
        gives, self._gives = self._gives, {}
        for why, tasks in gives.items():
            for begin in range(0, len(tasks), GIVES_A_LINE):
                part = tasks[begin : begin + GIVES_A_LINE]
                yield self._events.line("give", members({"tasks": part, "why": why}))

    def _sync_products(self) -> None:
        products = [made for end in self._told for made in end.made]
        for made in products:
            if made.size or made.stamp:  # an empty file has nothing but its name, which its folder keeps
                _if_there(sync_tree, made.final)
        for folder in {made.final.rpartition("/")[0] or "/" for made in products} | self._fresh:
            _if_there(sync_path, folder)

    def _void_line(self, why: str) -> str:
        tasks = [end.work.id for end in self._told if end.made]
        return self._events.line("void", members({"tasks": tasks, "why": why}))

    def _publish(self, end: End) -> None:
        try:
            end.publish(self._revocations)
        except OSError as error:
            trouble = explain(error, "the products cannot be published")
            unwell = isinstance(trouble, Unwell)
            end.spoil("node_failure" if unwell else "error", str(trouble))
        except TaskFailure as trouble:
            end.spoil("error", str(trouble), trouble.verdict)

    def _end_line(self, end: End) -> str:
        inside = end.render()
        if len(inside) > LINE_LIMIT - HEAD_BYTES and end.drop_contents():
            inside = end.render()
        if len(inside) > LINE_LIMIT - HEAD_BYTES:
            end.spoil("error", "the event of this end has {} bytes, more than 1 MB".format(len(inside)))
            inside = end.render()
        return self._events.line("end", inside, end.at)


def _if_there(sync: Callable[[str], None], path: str) -> None:
    try:
        sync(path)
    except FileNotFoundError:  # somebody removed it, which the conductor sees
        return

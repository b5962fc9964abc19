"""Ended attempts that are published together: products first, then the events that speak of them."""

import time
from typing import Any, Dict, Iterable, Iterator, List, Optional, Set, Tuple

from .claim import TaskId
from .events import LINE_LIMIT, Events, encode, members
from .folders import remove
from .judge import Result
from .products import Made, publish, sync_path, sync_tree
from .revoked import Revocations
from .slots import Attempt
from .trouble import Unwell, explain

GROUP_S = 1.0
GROUP_SIZE = 2000  # ends
GROUP_PRODUCTS = 200
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

    def spoil(self, outcome: str, why: str) -> None:
        """Turn a success into a failure, because it could not be published."""
        for made in self.made:
            remove(made.held)
        self._result = self._result._replace(outcome=outcome, why=why, made=(), result="", children="")

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
        text += encode({made.name: made[1:2] + made[4:] for made in result.made}) if result.made else "{}"
        if not self.ok:
            said = {"why": result.why, "verdict": result.verdict}
            return text + "," + members(said if result.verdict else {"why": result.why})
        text += ',"result":' + result.result if result.result else ""
        return text + (',"children":' + result.children if result.children else "")


def _number(value: Optional[int]) -> str:
    return "null" if value is None else str(value)


class Group:
    """Gather ends; publish them at the latest a second after the first."""

    def __init__(self, events: Events, revocations: Revocations) -> None:
        self.due: Optional[float] = None
        self.trouble: Optional[str] = None  # why the place is found unwell
        self._events = events
        self._revocations = revocations
        self._ends: List[End] = []
        self._gives: Dict[str, List[TaskId]] = {}
        self._batches: List[int] = []
        self._products = 0
        self._fresh: Set[str] = set()

    def add(self, end: End, fresh: Iterable[str]) -> None:
        self._set_due()
        self._ends.append(end)
        self._fresh.update(fresh)
        self._products += len(end.made)
        if len(self._ends) >= GROUP_SIZE or self._products >= GROUP_PRODUCTS:
            self.flush()

    def give(self, task: TaskId, why: str) -> None:
        """Say that a task is given back unstarted."""
        self._set_due()
        self._gives.setdefault(why, []).append(task)

    def note_batch(self, number: int) -> None:
        """Say that a batch is through, after the ends of its tasks."""
        self._set_due()
        self._batches.append(number)

    def _set_due(self) -> None:
        if self.due is None:
            self.due = time.monotonic() + GROUP_S

    def flush(self) -> None:
        """Publish products, make them durable, then write and sync the events."""
        if self.due is None:
            return
        self._publish([end for end in self._ends if end.made])
        lines = [self._end_line(end) for end in self._ends]
        lines.extend(self._give_lines())
        lines.extend(self._events.line("batch", members({"number": number})) for number in self._batches)
        self._events.write(lines)
        self._events.sync()
        self._ends, self._gives, self._batches, self._fresh = [], {}, [], set()
        self._products, self.due = 0, None

    def _give_lines(self) -> Iterator[str]:
        for why, tasks in self._gives.items():
            for begin in range(0, len(tasks), GIVES_A_LINE):
                part = tasks[begin : begin + GIVES_A_LINE]
                yield self._events.line("give", members({"tasks": part, "why": why}))

    def _publish(self, ends: List[End]) -> None:
        for end in ends:
            self._guard(end, self._sync)
        for end in ends:
            if end.ok:
                self._guard(end, self._rename)
        folders = {made.final.rpartition("/")[0] or "/" for end in ends for made in end.made}
        try:
            for folder in folders | self._fresh:
                sync_path(folder)
        except OSError as error:
            self._fail_all(ends, explain(error, "the product folders cannot be made durable"))

    def _guard(self, end: End, step: Any) -> None:
        try:
            step(end)
        except OSError as error:
            self._fail_all([end], explain(error, "the products cannot be published"))

    def _sync(self, end: End) -> None:
        for made in end.made:
            if made.size:  # an empty file has nothing but its name, which its folder keeps
                sync_tree(made.held)

    def _rename(self, end: End) -> None:
        for made in end.made:
            if self._revocations.cover(end.work.stage.id, end.work.unit):
                end.spoil("cancelled", "revoked before its products were published")
                return
            _place(end, made)

    def _fail_all(self, ends: List[End], trouble: Exception) -> None:
        unwell = isinstance(trouble, Unwell)
        if unwell:
            self.trouble = str(trouble)
        for end in ends:
            if end.ok:
                end.spoil("node_failure" if unwell else "error", str(trouble))

    def _end_line(self, end: End) -> str:
        inside = end.render()
        if len(inside) > LINE_LIMIT - HEAD_BYTES:
            end.spoil("error", "the event of this end has {} bytes, more than 1 MB".format(len(inside)))
            inside = end.render()
        return self._events.line("end", inside, end.at)


def _place(end: End, made: Made) -> None:
    declared: Dict[str, Any] = end.work.task["products"][made.name]
    publish(made, folder=bool(declared.get("folder")))

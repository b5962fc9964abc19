"""The queue: tasks of the batches in their order, with their followers."""

import json
import os
from collections import deque
from typing import Any, Callable, Deque, Dict, Iterator, List, Optional

from .claim import Past, TaskId
from .errors import Damaged
from .feed import Batch, Feed
from .spec import Stage

FULL = 1.0 + 1e-9

decode = json.JSONDecoder().raw_decode


class Work:
    """One task that is to be run, with those that follow it in the same worker."""

    __slots__ = ("_past", "_stages", "batch", "stage", "task", "unit")

    def __init__(self, task: Dict[str, Any], batch: Batch, stages: Dict[str, Stage], past: Past) -> None:
        self.task = task
        self.batch = batch
        self.stage = stages[task["s"]]
        if "limit_s" in task:  # its own, where the stage's was too short before
            self.stage = self.stage._replace(limit_s=task["limit_s"])
        if "rules" in task:  # those that are about this unit
            self.stage = self.stage._replace(rules=[self.stage.rules[number] for number in task["rules"]])
        self.unit: int = task["u"]
        self._stages = stages
        self._past = past

    @property
    def id(self) -> TaskId:
        return (self.stage.id, self.unit)

    @property
    def cut_off(self) -> bool:
        """Return whether an earlier life of the element began it."""
        return self.id in self._past.begun

    def follower(self) -> Optional["Work"]:
        then = self.task.get("then")
        return Work(then, self.batch, self._stages, self._past) if then else None

    @property
    def plain(self) -> bool:
        """Return whether this is a Python task without preparation and without followers."""
        task, stage = self.task, self.stage
        if not stage.python or stage.has_private_folder or stage.templates or stage.reads_log:
            return False
        return not any(task.get(more) for more in ("products", "env", "then", "undigested"))

    def folders(self, root: str) -> List[str]:
        """Return the folders where its products go."""
        declared: Dict[str, Dict[str, str]] = self.task.get("products") or {}
        return [os.path.dirname(os.path.join(root, one["path"].rstrip("/"))) for one in declared.values()]

    def chain(self) -> Iterator["Work"]:
        """Yield this task and all that follow it."""
        work: Optional[Work] = self
        while work:
            yield work
            work = work.follower()


class Queue:
    """What is still to be started; reports when all tasks of a batch are finished."""

    def __init__(
        self, feed: Feed, stages: Dict[str, Stage], past: Past, on_through: Callable[[int], None]
    ) -> None:
        self._feed = feed
        self._stages = stages
        self._past = past
        self._on_through = on_through
        self._batches: Deque[Batch] = deque()

    @property
    def empty(self) -> bool:
        return not self._batches

    @property
    def over(self) -> bool:
        """Return whether nothing is left, and nothing will come."""
        return not self._batches and self._feed.over()

    def next(self, load: float) -> Optional[Work]:
        """Return the next task if one more of its batch may run."""
        if not self._batches and not self.read_batch():
            return None
        batch = self._batches[0]
        if load + batch.share > FULL:
            return None
        line = batch.lines.popleft()
        if not batch.lines:
            self._batches.popleft()
        return self._parse(line, batch)

    def next_like(self, work: Work) -> Optional[Work]:
        """Return the next task if it is a plain one of the same batch and stage."""
        batch = work.batch
        if not batch.lines or self._past.ended or self._past.given:
            return None
        other = self._parse(batch.lines[0], batch)
        if other.stage is not work.stage or not other.plain:
            return None
        batch.lines.popleft()
        if not batch.lines:
            self._batches.popleft()
        return other

    def rest(self) -> Iterator[Work]:
        """Take out all tasks that are left, those of unread batches too."""
        while self._batches or self.read_batch():
            batch = self._batches.popleft()
            for line in batch.lines:
                try:
                    yield self._parse(line, batch)
                except Damaged:
                    continue

    def resume(self, work: Work) -> Optional[Work]:
        """Return the link of a chain that is to run next, from where earlier lives left it."""
        for link in work.chain():
            outcome = self._past.ended.get(link.id)
            if outcome is None:
                return None if link.id in self._past.given else link
            if outcome != "ok":
                return None
        return None

    def finish(self, work: Work) -> None:
        """Count a chain as finished."""
        work.batch.left -= 1
        if not work.batch.left:
            self._through(work.batch)

    def read_batch(self) -> bool:
        """Read on to the next batch with tasks; return whether there is one."""
        while True:
            batch = self._feed.next_batch()
            if batch is None:
                return False
            if batch.lines:
                self._batches.append(batch)
                return True
            self._through(batch)

    def _through(self, batch: Batch) -> None:
        if self._feed.growing and batch.number not in self._past.batches:
            self._on_through(batch.number)

    def _parse(self, line: bytes, batch: Batch) -> Work:
        try:
            return Work(decode(line.decode("utf-8"))[0], batch, self._stages, self._past)
        except (ValueError, KeyError, TypeError) as error:
            raise Damaged(
                "batch {} holds a line that is no task: {!r}".format(batch.number, error)
            ) from error

"""The runner's side of the forked workers: one a slot, replaced when it dies."""

import os
import signal
import time
from functools import partial
from typing import Any, Callable

from .children import Children
from .forks import Worker, fork_worker
from .messages import send
from .slots import Attempt, Slot, signal_group
from .spec import Job
from .trouble import Unwell

FAREWELL_S = 1.0


class Workers:
    """Hand Python tasks over; call back with replies and with the deaths of workers."""

    def __init__(
        self,
        job: Job,
        children: Children,
        *,
        on_reply: Callable[[Slot, Any], None],
        on_death: Callable[[Slot, int, Any], None]
    ) -> None:
        self._job = job
        self._children = children
        self._on_reply = on_reply
        self._on_death = on_death

    def hand_over(self, attempt: Attempt) -> int:
        """Send a task to its slot's worker, whose pid is returned."""
        slot = attempt.slot
        rows = [tuple(plan) for plan in attempt.planned]
        message = (attempt.work.stage.name, attempt.work.task, attempt.env, rows, attempt.scratch)
        for _ in range(3):
            worker = slot.worker or self._fork(slot)
            try:
                send(worker.tasks, message)
                return worker.pid
            except BrokenPipeError:  # it died between two tasks
                self._drop(slot, worker)
        raise Unwell("the workers of slot {} die before they get a task".format(slot.number))

    def dismiss(self, slot: Slot) -> None:
        """Let a slot's worker go, with force when it does not."""
        worker = slot.worker
        if worker is None:
            return
        self._drop(slot, worker)
        until = time.monotonic() + FAREWELL_S
        while os.waitpid(worker.pid, os.WNOHANG)[0] == 0:
            if time.monotonic() > until:
                signal_group(worker.pid, signal.SIGKILL)
                os.waitpid(worker.pid, 0)
                return
            time.sleep(0.002)

    def _fork(self, slot: Slot) -> Worker:
        try:
            worker = slot.worker = fork_worker(self._job, slot.log.fd)
        except OSError as error:
            raise Unwell("no worker can be started: {}".format(error.strerror))
        self._children.follow(worker.pid, partial(self._exited, slot, worker))
        self._children.listen(worker.replies, partial(self._on_reply, slot))
        return worker

    def _exited(self, slot: Slot, worker: Worker, status: int, usage: Any) -> None:
        if slot.worker is not worker:
            return
        self._children.receive(worker.replies)  # its last words may still be in the pipe
        self._drop(slot, worker)
        self._on_death(slot, status, usage)

    def _drop(self, slot: Slot, worker: Worker) -> None:
        self._children.mute(worker.replies)
        os.close(worker.tasks)
        os.close(worker.replies.fd)
        slot.worker = None

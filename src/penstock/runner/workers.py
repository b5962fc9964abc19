"""The runner's side of the forked workers: one a slot, replaced when it dies."""

import os
import signal
import time
from functools import partial
from typing import Any, Callable, Dict, Sequence, Tuple

from .children import Children
from .errors import CROWDED, Unwell, say_error
from .forks import Worker, fork_worker
from .messages import pack, write_all
from .slots import Attempt, Slot, signal_group
from .spec import Job

LEAVING_S = 1.0


class Workers:
    """Send Python tasks; call back with replies and with the deaths of workers."""

    def __init__(
        self,
        job: Job,
        children: Children,
        *,
        on_reply: Callable[[Slot, Any], None],
        on_death: Callable[[Slot, int, Any], None],
    ) -> None:
        self._job = job
        self._children = children
        self._on_reply = on_reply
        self._on_death = on_death

    def hand_over(self, slot: Slot, attempts: Sequence[Attempt], share: Dict[str, str]) -> None:
        """Send tasks to the slot's worker, to be run one after the other; one of another share makes room for a new one."""
        if slot.worker and slot.worker.share != share:
            self._drop(slot, slot.worker)
        data = pack([_message(attempt) for attempt in attempts])
        for _ in range(3):
            worker = slot.worker or self._fork(slot, share)
            try:
                write_all(worker.tasks, data)
                return
            except BrokenPipeError:  # it died between two tasks
                self._drop(slot, worker)
        raise Unwell("the workers of slot {} die before they get a task".format(slot.number))

    def hear(self, slot: Slot) -> None:
        """Read the replies that have arrived."""
        worker = slot.worker
        if worker is None:
            return
        try:
            messages = worker.replies.read()
        except EOFError:  # its process ended, which `reap` tells
            self._children.ignore(worker.replies.fd)
            return
        for message in messages:
            self._on_reply(slot, message)
        if slot.worker is not worker:
            return
        if worker.replies.partial:
            self._children.watch(worker.replies.fd, partial(self.hear, slot))
        else:
            self._children.ignore(worker.replies.fd)

    def dismiss(self, slot: Slot) -> None:
        """Dismiss a slot's worker, by force when it does not exit."""
        worker = slot.worker
        if worker is None:
            return
        self._drop(slot, worker)
        until = time.monotonic() + LEAVING_S
        while os.waitpid(worker.pid, os.WNOHANG)[0] == 0:
            if time.monotonic() > until:
                signal_group(worker.pid, signal.SIGKILL)
                os.waitpid(worker.pid, 0)
                return
            time.sleep(0.002)

    def _fork(self, slot: Slot, share: Dict[str, str]) -> Worker:
        try:
            worker = slot.worker = fork_worker(
                self._job, slot.log.fd, self._job.mark_slot(slot.number, worker=True), share
            )
        except OSError as error:
            why = CROWDED.get(error.errno or 0) or say_error(error)
            raise Unwell("no worker can be started: {}".format(why)) from error
        self._children.follow(worker.pid, partial(self._exited, slot, worker))
        self._children.watch(worker.bell, partial(self._rung, slot, worker))
        return worker

    def _rung(self, slot: Slot, worker: Worker) -> None:
        try:
            rung = os.read(worker.bell, 4096)
        except BlockingIOError:
            return
        if not rung:
            raise EOFError
        self.hear(slot)

    def _exited(self, slot: Slot, worker: Worker, status: int, usage: Any) -> None:
        if slot.worker is not worker:
            return
        self.hear(slot)  # its last words
        if slot.worker is worker:  # else the follower of what it ended is with a new one already
            self._drop(slot, worker)
            self._on_death(slot, status, usage)

    def _drop(self, slot: Slot, worker: Worker) -> None:
        for fd in (worker.bell, worker.replies.fd):
            self._children.ignore(fd)
            os.close(fd)
        os.close(worker.tasks)
        slot.worker = None


def _message(attempt: Attempt) -> Tuple[Any, ...]:
    stage, env, scratch = attempt.work.stage.name, attempt.env, attempt.scratch
    if attempt.is_script:  # of which only the runner takes the products
        return (stage, {}, env, [], scratch, attempt.argv)
    return (stage, attempt.task, env, [tuple(plan) for plan in attempt.planned], scratch, None)

"""Slots and the attempts in them; what is made for an attempt before it starts."""

import os
import time
from collections import deque
from typing import Any, Callable, Deque, Dict, List, Optional, Sequence, Set, Tuple

from .children import Children
from .commands import References
from .errands import NEVER, Errand
from .errors import Taken, Unfit, Unwell, explain
from .folders import PrivateFolders
from .forks import Tell, Worker
from .inputs import Copies
from .logs import SlotLog
from .outcomes import Result
from .products import Planned, plan_products, refuse_taken
from .scratch import make_scratch, remove_scratch, render_templates, work_inside
from .scripts import is_script
from .spec import Job
from .work import Work


class Slot:
    """A place where one attempt at a time runs; tiny ones may wait `ahead`, already sent to the worker."""

    def __init__(self, job: Job, number: int) -> None:
        path = job.file("{}.log".format(number))
        try:
            self.log = SlotLog(path)
        except OSError as error:
            raise explain(error, "the log {} cannot be opened".format(path)) from error
        self.number = number
        self.folders = PrivateFolders(job, number)
        self.worker: Optional[Worker] = None
        self.doomed = False  # the worker was told to end
        self.attempt: Optional["Attempt"] = None
        self.ahead: Deque["Attempt"] = deque()
        self.count = 0


class Attempt:
    """One try of one task."""

    begun = 0.0
    offset = 0
    planned: Sequence[Planned] = ()
    private: Optional[str] = None  # a folder for it alone,
    hold: Optional[int] = None  # what keeps others from removing that,
    scratch: Optional[str] = None  # and the same folder if it works there
    copies: Optional[Copies] = None
    argv: Sequence[str] = ()
    is_script = False  # `argv` is a script of Python and its arguments
    env: Optional[Dict[str, str]] = None
    group = 0  # the process group of its command or worker
    limit_at = NEVER
    kill_at = NEVER
    killed_at = NEVER
    ending: Optional[Tuple[str, str]] = None  # outcome and reason, when we stop it
    exit: Optional[int] = None  # the status of the process that led it
    reply: Optional[Result] = None  # what a worker said that ends because of what the task left in it
    errand: Optional[Errand] = None
    wall = -1.0
    log_end = -1
    cpu = 0.0
    rss = 0

    def __init__(self, work: Work, slot: Slot) -> None:
        self.work = work
        self.task = work.task
        self.slot = slot
        self.kin: Set[int] = set()  # what descended from its first process when that was told to end

    def begin(self, offset: Optional[int] = None) -> None:
        """Occupy the slot, from an offset of its log on."""
        self.slot.attempt = self
        self.begun = time.monotonic()
        self.offset = self.slot.log.begin(offset)
        if self.work.stage.limit_s is not None:
            self.limit_at = self.begun + self.work.stage.limit_s

    def ask(
        self,
        children: Children,
        question: Callable[[Tell], Any],
        on_answer: Callable[[Any], None],
        seconds: float = NEVER,
    ) -> None:
        """Run something in another process; in this one when no other can be started."""
        try:
            self.errand = Errand(children, question, on_answer=on_answer, seconds=seconds)
        except OSError:
            on_answer(question(lambda _: None))

    @property
    def in_worker(self) -> bool:
        """Return whether the slot's worker runs it."""
        return self.is_script or self.work.stage.python is not None

    def remove_private(self) -> None:
        """Remove its own folder, and let go of it."""
        if self.private:
            remove_scratch(self.private)
        if self.hold is not None:
            os.close(self.hold)
            self.hold = None

    @property
    def folders(self) -> List[str]:
        return [os.path.dirname(plan.final) for plan in self.planned]


def signal_group(group: int, number: int) -> bool:
    """Send a signal to a process group (0: none); return whether the group exists."""
    if group <= 1:
        return False
    try:
        os.killpg(group, number)
    except OSError:
        return False
    return True


def prepare_attempt(job: Job, attempt: Attempt) -> Optional[Exception]:
    """Make folders and files; return why the task cannot be tried, or raise Unwell with nothing left."""
    try:
        _prepare(job, attempt)
    except (Unfit, Taken) as trouble:
        return trouble
    except Unwell:
        abandon_attempt(attempt)
        raise
    return None


def abandon_attempt(attempt: Attempt) -> None:
    """Remove what was made for an attempt that does not start."""
    attempt.remove_private()
    attempt.slot.folders.sweep(attempt.folders)


def _prepare(job: Job, attempt: Attempt) -> None:
    task, stage, slot = attempt.work.task, attempt.work.stage, attempt.slot
    if task.get("products"):
        attempt.planned = plan_products(
            task["products"],
            job.spec.root,
            slot.folders,
            again=attempt.work.cut_off,
            python=bool(stage.python),
        )
        refuse_taken(attempt.planned)
    if stage.has_private_folder:
        task = _prepare_folder(job, attempt)
    if stage.templates:
        folder = attempt.scratch or (
            os.path.dirname(attempt.planned[0].temporary) if attempt.planned else None
        )
        if folder is None:
            raise Unfit("stage {} has templates but neither scratch nor products".format(stage.name))
        render_templates(stage, task, root=job.spec.root, folder=folder)
    references = References(
        job, task, attempt.planned, scratch=attempt.scratch, copies=attempt.copies, slot=slot.number
    )
    env: Dict[str, Any] = task.get("env") or {}
    if env:
        attempt.env = {name: references.render(item) for name, item in env.items()}
    if not stage.python:
        argv: List[Any] = task.get("argv") or []
        attempt.is_script = is_script(argv)
        attempt.argv = [references.render(item) for item in (argv[1:] if attempt.is_script else argv)]


def _prepare_folder(job: Job, attempt: Attempt) -> Dict[str, Any]:
    """Make the attempt's own folder; return the task, which gets copies of its inputs if its stage asks for them."""
    stage, slot = attempt.work.stage, attempt.slot
    slot.count += 1
    folder, attempt.hold = make_scratch(job, stage, slot.number, slot.count)
    attempt.private = folder
    if stage.scratch:
        attempt.scratch = folder
        if stage.scratch_at:
            attempt.planned = work_inside(folder, attempt.planned)
    if stage.copy_inputs:
        attempt.copies = Copies(job, folder, attempt.task)
        attempt.task = attempt.copies.stand_in()
    return attempt.task

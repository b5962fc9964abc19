"""Forked processes of the runner: they die with it and hold nothing of it."""

import os
import signal
import sys
import traceback
from typing import Any, Callable, Dict, List, NamedTuple, NoReturn, Sequence, Tuple

from .digests import sync_tree
from .errors import TaskFailure
from .messages import Inbox, pack, write_all
from .orphans import TASK
from .prctl import DIE_WITH_PARENT, set_option
from .products import Found, explained, secure_products
from .spec import Job
from .worker import Voice, serve

Tell = Callable[[str], None]

HANDLED_SIGNALS = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGHUP,
    signal.SIGCHLD,
)


class Worker(NamedTuple):
    """A forked process that runs Python tasks, one at a time."""

    pid: int
    tasks: int
    replies: Inbox
    bell: int
    share: Dict[str, str]  # what it was told of threads and devices


def fork_worker(job: Job, log: int, mark: str, share: Dict[str, str]) -> Worker:
    """Start a worker whose output goes to a slot's log, and whose processes carry a mark and its share of the node."""
    tasks, to_tasks = os.pipe()
    replies, to_replies = os.pipe()
    bell, to_bell = os.pipe()

    def run() -> None:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        serve(job, Inbox(tasks), Voice(to_replies, to_bell), dict(share, **{TASK: mark}))

    pid = _fork(run, keep=(tasks, to_replies, to_bell, log))
    for fd in (tasks, to_replies, to_bell):
        os.close(fd)
    os.set_blocking(replies, False)
    os.set_blocking(bell, False)
    return Worker(pid, to_tasks, Inbox(replies), bell, share)


def fork_errand(ask: Callable[[Tell], Any]) -> Tuple[int, Inbox]:
    """Run something in another process; its last message is the answer, those before report about itself."""
    reading, writing = os.pipe()

    def run() -> None:
        write_all(writing, pack(ask(lambda text: write_all(writing, pack(text)))))

    pid = _fork(run, keep=(writing,))
    os.close(writing)
    os.set_blocking(reading, False)
    return pid, Inbox(reading)


def inspect_apart(found: List[Found], _tell: Tell) -> Any:
    """Do the same without waiting, and make the products durable there."""
    return inspect(found, durable=True)


def inspect(found: List[Found], *, durable: bool) -> Tuple[List[Tuple[object, ...]], str, str]:
    """Secure products; return them as plain tuples, or an outcome and why they cannot be had."""
    try:
        with explained():
            made = secure_products(found)
            for product in made if durable else []:
                sync_tree(product.held)
    except TaskFailure as trouble:
        return [], trouble.outcome, str(trouble)
    return [tuple(product) for product in made], "ok", ""


def _fork(run: Callable[[], None], *, keep: Sequence[int]) -> int:
    parent = os.getpid()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        _live(run, parent, keep)
    try:
        os.setpgid(pid, pid)
    except OSError:  # it was faster, or is gone already
        return pid
    return pid


def _live(run: Callable[[], None], parent: int, keep: Sequence[int]) -> NoReturn:
    code = 70
    try:
        _stand_alone(parent, keep)
        run()
        code = 0
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _stand_alone(parent: int, keep: Sequence[int]) -> None:
    os.setpgid(0, 0)
    signal.set_wakeup_fd(-1)
    for number in HANDLED_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    set_option(DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)
    first = 3
    for fd in [*sorted(set(keep)), os.sysconf("SC_OPEN_MAX")]:
        os.closerange(first, fd)
        first = max(3, fd + 1)

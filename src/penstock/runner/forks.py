"""Forked processes of the runner: they die with it and hold nothing of it."""

import ctypes
import os
import signal
import sys
import traceback
from typing import Callable, List, NamedTuple, NoReturn, Sequence, Tuple

from .messages import Inbox, pack, write_all
from .products import Found, explained, secure_products, sync_tree
from .spec import Job
from .trouble import Trouble
from .worker import Voice, serve

PR_SET_PDEATHSIG = 1
HANDLED_SIGNALS = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGHUP,
    signal.SIGCHLD,
)

try:
    _libc = ctypes.CDLL(None, use_errno=True)
except OSError:
    _libc = None


class Worker(NamedTuple):
    """A forked process that runs Python tasks, one at a time."""

    pid: int
    tasks: int
    replies: Inbox
    bell: int


def fork_worker(job: Job, log: int) -> Worker:
    """Start a worker whose output goes to a slot's log."""
    tasks, to_tasks = os.pipe()
    replies, to_replies = os.pipe()
    bell, to_bell = os.pipe()

    def run() -> None:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        serve(job, Inbox(tasks), Voice(to_replies, to_bell))

    pid = _fork(run, keep=(tasks, to_replies, to_bell, log))
    for fd in (tasks, to_replies, to_bell):
        os.close(fd)
    os.set_blocking(replies, False)
    os.set_blocking(bell, False)
    return Worker(pid, to_tasks, Inbox(replies), bell)


def fork_inspector(found: List[Found]) -> Tuple[int, Inbox]:
    """Hash, move and sync big products in another process; its message is (made, outcome, why)."""
    reading, writing = os.pipe()
    pid = _fork(lambda: write_all(writing, pack(inspect(found, durable=True))), keep=(writing,))
    os.close(writing)
    os.set_blocking(reading, False)
    return pid, Inbox(reading)


def inspect(found: List[Found], *, durable: bool) -> Tuple[List[Tuple[object, ...]], str, str]:
    """Secure products; return them as plain tuples, or an outcome and why they cannot be had."""
    try:
        with explained():
            made = secure_products(found)
            for product in made if durable else []:
                sync_tree(product.held)
    except Trouble as trouble:
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
    if _libc is not None and hasattr(_libc, "prctl"):
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(0)
    first = 3
    for fd in [*sorted(set(keep)), os.sysconf("SC_OPEN_MAX")]:
        os.closerange(first, fd)
        first = max(3, fd + 1)

"""What a task may change in its worker: it is restored for the next task, or the worker is replaced."""

import _thread
import fcntl
import io
import os
import resource
import signal
import sys
import threading
import time
from functools import partial
from typing import Any, Callable, Dict, List, Optional, Set, TextIO

from .offspring import Offspring, kill, name_of, reap
from .spec import Stage

SIGNALS = [
    int(getattr(signal, "SIG" + name))
    for name in [
        "HUP",
        "INT",
        "QUIT",
        "USR1",
        "USR2",
        "PIPE",
        "ALRM",
        "TERM",
        "CHLD",
        "XCPU",
        "XFSZ",
        "VTALRM",
        "PROF",
    ]
]
TIMERS = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)
LIMITS = (
    resource.RLIMIT_AS,
    resource.RLIMIT_CPU,
    resource.RLIMIT_DATA,
    resource.RLIMIT_FSIZE,
    resource.RLIMIT_NOFILE,
    resource.RLIMIT_STACK,
)
SETTERS = (
    (signal, ("signal", "alarm", "setitimer", "pthread_sigmask")),
    (resource, ("setrlimit", "prlimit")),
)
count_threads: Callable[[], int] = vars(_thread)["_count"]  # also of those that `threading` does not know
plain_signal: Any = vars(signal).get("_signal", signal)  # without the enums of `signal`: thirty times quicker
SPARE = 100  # descriptors from here on are rarely in anybody's way
LINGER_S = 0.2  # what is about to end may do so
GIVE_UP_S = 5.0
HELPERS = (  # processes that Python itself keeps for all who use multiprocessing
    ("multiprocessing.resource_tracker", "_resource_tracker", "_pid"),
    ("multiprocessing.semaphore_tracker", "_semaphore_tracker", "_pid"),  # its name before 3.8
    ("multiprocessing.forkserver", "_forkserver", "_forkserver_pid"),
)


class Surroundings:
    """Everything around tasks in a worker but their environment."""

    def __init__(self, mark: str) -> None:
        self.log = fcntl.fcntl(1, fcntl.F_DUPFD_CLOEXEC, SPARE)
        self._offspring = Offspring(mark)
        self._umask = os.umask(0o077)
        os.umask(self._umask)
        self._touched: Set[str] = set()  # the modules whose settings a task may have changed
        self._watch_settings()
        self._open_streams()
        self.keep()

    def keep(self) -> None:
        """Record the present state as what every task begins with."""
        self._handlers: List[Any] = [*map(plain_signal.getsignal, SIGNALS)]
        self._blocked = plain_signal.pthread_sigmask(signal.SIG_BLOCK, ())
        self._path, self._folders = sys.path, list(sys.path)
        self._depth = sys.getrecursionlimit()
        self._limits = [resource.getrlimit(limit) for limit in LIMITS]
        self._touched.clear()
        self._threads = count_threads()
        self._kin = self._offspring.find()

    def put_back(self) -> None:
        """Undo what a task changed, as far as that is cheap."""
        os.dup2(self.log, 1)
        os.dup2(self.log, 2)
        if sys.stdout is not self._stdout or sys.stderr is not self._stderr or not self._are_open():
            self._open_streams()
        os.umask(self._umask)
        plain_signal.alarm(0)  # also one that a library set without Python
        if "signal" in self._touched:
            self._put_back_signals()
        sys.setrecursionlimit(self._depth)
        if sys.path is not self._path or self._path != self._folders:
            self._path[:] = self._folders
            sys.path = self._path

    def say(self, text: str) -> None:
        """Add a line of ours to the task's log."""
        try:
            os.write(self.log, "penstock: {}\n".format(text).encode("utf-8", "backslashreplace"))
        except OSError:
            return

    def find_left(self) -> List[str]:
        """Return what a task left that cannot be restored."""
        left = [] if self._put_back_limits() else ["a resource limit"]
        if self._is_alone():
            return left
        until = time.monotonic() + LINGER_S
        while time.monotonic() < until:
            time.sleep(0.002)
            reap(self._strangers())
            if self._is_alone():
                return left
        left += ["the process " + name_of(pid) for pid in sorted(self._strangers())]
        return left + (["a thread: " + _name_threads()] if self._has_threads() else [])

    def end_children(self) -> None:
        """Kill all child processes, also those of a setup function."""
        until = time.monotonic() + GIVE_UP_S
        while kill(self._offspring.find()) and time.monotonic() < until:
            time.sleep(0.002)

    def _is_alone(self) -> bool:
        return not self._has_threads() and not self._strangers()

    def _has_threads(self) -> bool:
        return count_threads() > self._threads

    def _strangers(self) -> Set[int]:
        found = self._offspring.find() - self._kin
        return found - _find_helpers() if found else found

    def _open_streams(self) -> None:
        self._stdout = sys.stdout = _open_stream(1)
        self._stderr = sys.stderr = _open_stream(2)

    def _are_open(self) -> bool:
        try:
            return not (self._stdout.closed or self._stderr.closed)
        except ValueError:  # it was detached
            return False

    def _put_back_signals(self) -> None:
        for timer in TIMERS:
            signal.setitimer(timer, 0)
        plain_signal.pthread_sigmask(signal.SIG_SETMASK, self._blocked)
        for number, handler in zip(SIGNALS, self._handlers):
            if handler is not None and plain_signal.getsignal(number) is not handler:
                signal.signal(number, handler)
        self._touched.discard("signal")

    def _watch_settings(self) -> None:
        """Notice when signals and limits are set: reading them after each task costs more than many a task."""
        for module, names in SETTERS:
            for name in names:
                setattr(module, name, partial(self._set, module.__name__, getattr(module, name)))

    def _set(self, module: str, function: Callable[..., Any], *given: Any, **named: Any) -> Any:
        self._touched.add(module)
        return function(*given, **named)

    def _put_back_limits(self) -> bool:
        if "resource" not in self._touched or [resource.getrlimit(limit) for limit in LIMITS] == self._limits:
            return True
        for limit, values in zip(LIMITS, self._limits):
            try:
                resource.setrlimit(limit, values)
            except (ValueError, OSError):  # the hard limit was lowered
                return False
        return True


class Environment:
    """The variables of tasks: those of the job, what imports and setups set, those of a stage and of one task."""

    def __init__(self, variables: Dict[str, str]) -> None:
        self._variables = variables
        self._lasting: Dict[str, Optional[str]] = {}
        self._environ = os.environ
        self._stages: Dict[str, Dict[Any, Any]] = {}

    def set(self, stage: Stage, more: Optional[Dict[str, str]]) -> None:
        """Set the variables of a stage, and those of one task."""
        if os.environ is not self._environ:
            os.environ = self._environ  # noqa: B003 (the object itself was replaced)
        wanted = self._stages.get(stage.name)
        if more or wanted is None:
            self._fill(stage, more or {})
            if not more:
                self._stages[stage.name] = dict(self._raw())
        elif self._raw() != wanted:
            self._fill(stage, {})

    def learn(self, before: Dict[str, str]) -> None:
        """Keep for all tasks what changed since `before`, while something was imported or set up."""
        now = dict(self._environ)
        self._lasting.update({name: None for name in before if name not in now})
        self._lasting.update({name: now[name] for name in now if before.get(name) != now[name]})
        self._stages.clear()

    def _fill(self, stage: Stage, more: Dict[str, str]) -> None:
        variables = dict(self._variables, **{k: v for k, v in self._lasting.items() if v is not None})
        for name in [name for name, value in self._lasting.items() if value is None]:
            variables.pop(name, None)
        variables.update(stage.environment)
        variables.update(more)
        self._environ.clear()
        self._environ.update(variables)

    def _raw(self) -> Dict[Any, Any]:
        return vars(self._environ)["_data"]  # as bytes: comparing texts would decode them all


def _open_stream(fd: int) -> TextIO:
    raw = io.FileIO(fd, "w", closefd=False)
    return io.TextIOWrapper(io.BufferedWriter(raw), "utf-8", "backslashreplace", line_buffering=True)


def _find_helpers() -> Set[int]:
    pids: Set[int] = set()
    for module, name, field in HELPERS:
        pid = getattr(getattr(sys.modules.get(module), name, None), field, None)
        if isinstance(pid, int):
            pids.add(pid)
    return pids


def _name_threads() -> str:
    names = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
    return ", ".join(names) or "without a name"

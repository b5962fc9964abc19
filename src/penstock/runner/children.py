"""The processes that we started: their exits, and the pipes that lead to them."""

import os
import select
from typing import Any, Callable, Dict, Iterable, Iterator, Tuple

OnExit = Callable[[int, Any], None]
OnReadable = Callable[[], None]


class Children:
    """Call back when a process ends, or when a pipe can be read."""

    def __init__(self) -> None:
        self._poll = select.poll()
        self._exits: Dict[int, OnExit] = {}
        self._pipes: Dict[int, OnReadable] = {}

    @property
    def known(self) -> Iterable[int]:
        """The processes whose exit somebody waits for."""
        return self._exits

    def follow(self, pid: int, on_exit: OnExit) -> None:
        self._exits[pid] = on_exit

    def watch(self, fd: int, on_readable: OnReadable) -> None:
        if fd not in self._pipes:
            self._poll.register(fd, select.POLLIN)
        self._pipes[fd] = on_readable

    def ignore(self, fd: int) -> None:
        """Stop watching a pipe; the owner closes it."""
        if self._pipes.pop(fd, None):
            self._poll.unregister(fd)

    def wait(self, seconds: float) -> None:
        """Wait until something can be read, at most so long."""
        for fd, _ in self._poll.poll(max(0.0, seconds) * 1000):
            on_readable = self._pipes.get(fd)
            if on_readable:
                self.call(fd, on_readable)

    def call(self, fd: int, on_readable: OnReadable) -> None:
        try:
            on_readable()
        except EOFError:  # its process ended, which `reap` tells
            self.ignore(fd)

    def reap(self) -> None:
        """Take the exits of all processes that ended."""
        taken = [(self._exits.pop(pid, None), status, usage) for pid, status, usage in _take_exits()]
        for on_exit, status, usage in taken:  # after all of them: what has ended is nobody's leftover
            if on_exit:
                on_exit(status, usage)


def _take_exits() -> Iterator[Tuple[int, int, Any]]:
    while True:
        try:
            pid, status, usage = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        yield pid, status, usage

"""The processes that we started: their exits and their messages."""

import os
import select
from typing import Any, Callable, Dict, Tuple

from .messages import Inbox

OnExit = Callable[[int, Any], None]
OnMessage = Callable[[Any], None]


class Children:
    """Call back when a process ends or says something."""

    def __init__(self) -> None:
        self._poll = select.poll()
        self._exits: Dict[int, OnExit] = {}
        self._inboxes: Dict[int, Tuple[Inbox, OnMessage]] = {}

    def watch(self, fd: int) -> None:
        """Let `wait` return when `fd` can be read."""
        self._poll.register(fd, select.POLLIN)

    def follow(self, pid: int, on_exit: OnExit) -> None:
        self._exits[pid] = on_exit

    def listen(self, inbox: Inbox, on_message: OnMessage) -> None:
        self._inboxes[inbox.fd] = (inbox, on_message)
        self._poll.register(inbox.fd, select.POLLIN)

    def mute(self, inbox: Inbox) -> None:
        """Stop listening; the owner closes the pipe."""
        if self._inboxes.pop(inbox.fd, None):
            self._poll.unregister(inbox.fd)

    def wait(self, seconds: float) -> None:
        """Wait until something can be read, at most so long; pass messages on."""
        for fd, _ in self._poll.poll(max(0.0, seconds) * 1000):
            if fd in self._inboxes:
                self.receive(self._inboxes[fd][0])

    def receive(self, inbox: Inbox) -> None:
        """Read once from a pipe; pass the message on if it is whole."""
        if inbox.fd not in self._inboxes:
            return
        try:
            message = inbox.read()
        except EOFError:  # its process ended, which `reap` tells
            self.mute(inbox)
            return
        if message is not None:
            self._inboxes[inbox.fd][1](message)

    def reap(self) -> None:
        """Take the exits of all processes that ended."""
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            on_exit = self._exits.pop(pid, None)
            if on_exit:
                on_exit(status, usage)

"""Errands: what may take long is done in another process, so that the loop need not wait."""

import os
import signal
import time
from typing import Any, Callable

from .children import Children
from .forks import Tell, fork_errand

NEVER = float("inf")


class Errand:
    """One question on its way; the answer is None when its process died."""

    def __init__(
        self,
        children: Children,
        ask: Callable[[Tell], Any],
        *,
        on_answer: Callable[[Any], None],
        seconds: float = NEVER,
    ) -> None:
        self.until = time.monotonic() + seconds
        self.dispensable = False  # ended when the job is to leave
        self.told = ""  # the last that it said of itself
        self._children = children
        self._on_answer = on_answer
        self._over = False
        self._pid, self._inbox = fork_errand(ask)
        children.watch(self._inbox.fd, self._hear)
        children.follow(self._pid, self._died)

    def kill(self) -> None:
        """End it; its death is noticed later."""
        os.kill(self._pid, signal.SIGKILL)

    def _hear(self) -> None:
        for message in self._inbox.read():
            if isinstance(message, str):
                self.told = message
            else:
                self._answer(message)

    def _died(self, _status: int, _usage: Any) -> None:
        if not self._over:
            self._children.call(self._inbox.fd, self._hear)
        if not self._over:
            self._answer(None)

    def _answer(self, message: Any) -> None:
        self._over = True
        self._children.ignore(self._inbox.fd)
        os.close(self._inbox.fd)
        self._on_answer(message)

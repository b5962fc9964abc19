"""Signals, turned into something that can be waited for."""

import os
import signal
import time
from typing import Any

STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP)
INSISTENT = (signal.SIGTERM, signal.SIGINT)
ECHO_S = 0.5  # schedulers send the same signal to the job's shell and to us


class Signals:
    """Remember that we were asked to stop, and wake the loop when a child ends."""

    def __init__(self) -> None:
        self.asked = False
        self.insisted = False
        self.fd, self._writer = os.pipe()
        os.set_blocking(self.fd, False)
        os.set_blocking(self._writer, False)
        self._first = 0.0

    def install(self) -> None:
        signal.set_wakeup_fd(self._writer)
        signal.signal(signal.SIGCHLD, _wake)
        for number in STOPS:
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._stop)

    def drain(self) -> None:
        """Take what woke us."""
        try:
            os.read(self.fd, 4096)
        except BlockingIOError:
            return

    def _stop(self, number: int, _frame: Any) -> None:
        now = time.monotonic()
        if not self.asked:
            self.asked, self._first = True, now
        elif number in INSISTENT and now - self._first > ECHO_S:
            self.insisted = True


def _wake(_number: int, _frame: Any) -> None:
    return None

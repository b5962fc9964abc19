"""All that may go wrong on the way to another machine and back, one after the other."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable

import psutil
from tests.far.lab import Lab
from tests.far.rig import Rig
from tests.until import until


def run_through(lab: Lab, host: Rig, *, large: str, finished: Callable[[], int], of: int) -> None:
    """Run a campaign to its end while the cable is pulled twice, sshd, the conductor and then everything here are killed,
    and a third of the store is purged.

    `large`: what there is here while a large result comes home; `finished`: how many of the results are here.
    """
    generator, far = random.Random(3), host.path("~/penstock")
    lab.login()
    first = lab.start()
    until(lambda: [*far.glob("store/*/*")], "inputs travel")
    host.pull()
    time.sleep(2)
    host.plug()
    until(lambda: [*lab.root.glob(large)], "a large result is on its way", 90)
    host.pull()
    until(lambda: "needs you" in lab.said(), "it says what it needs", 90)
    host.plug()
    for blob in far.glob("store/*/*"):
        if generator.random() < 0.3:
            blob.unlink(missing_ok=True)
    lab.login()
    until(lambda: finished() > of // 4, "more results came home", 90)
    host.kill_sshd()
    first.kill()
    first.wait()
    host.start_sshd()
    lab.login()
    second = lab.start()
    until(lambda: finished() > of // 2, "more results came home", 90)
    for process in [*psutil.Process(second.pid).children(recursive=True), psutil.Process(second.pid)]:
        process.send_signal(signal.SIGKILL)
    second.wait()
    lab.cut()
    lab.login()
    assert lab.start().wait(300) == 0, lab.said()
    assert [*far.rglob("*")] == []
    assert host.logins()[1] == 0

"""Stopping whoever works on a campaign."""

from __future__ import annotations

import time
from pathlib import Path

from penstock.errors import Held, LedgerError
from penstock.ledger import Ledger, jobs
from penstock.ledger.hosts.lease import Holder
from penstock.record.asking import request
from penstock.site import processes
from penstock.unattended.detached import find_holder

LOOK_S = 0.1


def stop(root: Path, working: Holder, wait_s: float) -> None:
    """Ask the conductor to stop, and wait until it and its runners on this machine have.

    Raises Held if it is still there after `wait_s` seconds, and LedgerError if runners are.
    """
    request(root, "down", {})
    until = time.monotonic() + wait_s
    while (still := find_holder(root)) and still.pid == working.pid:
        if time.monotonic() >= until:
            raise Held(
                f"{still} was asked to stop but still runs after {wait_s:.0f} s: see `penstock status`"
            )
        time.sleep(LOOK_S)
    if left := runners_left(root, until):
        names = ", ".join(f"process {pid} (job {token})" for token, pid in left.items())
        raise LedgerError(
            f"{working} has stopped and left {names} running: see `penstock jobs`, or end what is left with `kill`"
        )


def runners_left(root: Path, until: float) -> dict[str, int]:
    """Return the runners of this machine, job and process, that are at work at `until`; none once all have ended."""
    with Ledger.open(root, readonly=True) as ledger:
        natives = {job["token"]: job["native"] for job in jobs.open_jobs(ledger.db) if job["feed"]}
    while left := {token: native for token, native in natives.items() if native and processes.alive(native)}:
        if time.monotonic() >= until:
            break
        time.sleep(LOOK_S)
    return {token: processes.process_of(native).pid for token, native in left.items()}

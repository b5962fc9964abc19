"""Cancelling while no conductor runs: runners are told, and schedulers cancel elements with nothing left to do."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from penstock.clock import SystemClock
from penstock.conductor.collection import Collector
from penstock.conductor.context import recorded_context
from penstock.display import count
from penstock.errors import DefinitionError, PenstockError
from penstock.ledger import Ledger, jobs
from penstock.ledger.hosts.lease import held
from penstock.site import ClusterJobs


def take_away(root: Path, *, there: Mapping[str, ClusterJobs] | None = None) -> list[str]:
    """Tell active jobs which tasks were cancelled or vetoed, and report the result at clusters.

    The definition is that of the record; its Python is not loaded. Raises Held when a conductor has begun meanwhile,
    which then does it.
    """
    with Ledger.open(root, readonly=True) as ledger:
        if not jobs.open_jobs(ledger.db):
            return []
    with held(root, command="cancel", clock=SystemClock()) as ledger:
        context = recorded_context(ledger, SystemClock(), there=there)
        collector = Collector(context)
        try:
            collector.revoke_cancelled()
        except DefinitionError as error:
            return [str(error)]
        out = [job["site"] for job in jobs.open_jobs(ledger.db) if not job["feed"]]
        return [line for site in dict.fromkeys(out) if (line := cancel_at(collector, site))]


def cancel_at(collector: Collector, site: str) -> str:
    """Cancel the elements of one cluster with nothing left to do; report what was done, if anything."""
    open_jobs = [job for job in jobs.open_jobs(collector.ledger.db) if job["site"] == site]
    try:
        done = [n for job in open_jobs if (n := collector.elements(site).cancel_leftover(job))]
    except PenstockError as error:
        return f"{site}: {error}: the next `penstock run` or `penstock tick` does it"
    return f"{count(sum(done), 'element')} of {count(len(done), 'job')} cancelled at {site}" if done else ""

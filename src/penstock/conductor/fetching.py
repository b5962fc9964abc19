"""Bringing products home while no conductor runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from penstock.clock import SystemClock
from penstock.conductor.context import recorded_context
from penstock.conductor.inbound import Inbound
from penstock.display import count
from penstock.errors import PenstockError
from penstock.ledger.hosts.lease import held
from penstock.ledger.locations import sites_with_files
from penstock.site import ClusterJobs


def fetch_asked(root: Path, *, there: Mapping[str, ClusterJobs] | None = None) -> list[str]:
    """Bring home what was asked for; report what came from each site, and what did not.

    The definition is that of the record; its Python is not loaded. Raises Held when a conductor has begun meanwhile,
    which then does it.
    """
    with held(root, command="fetch", clock=SystemClock()) as ledger:
        context = recorded_context(ledger, SystemClock(), there=there)
        sites = [(name, context.sites.cluster(name).far) for name in sites_with_files(ledger.db)]
        return [line for name, far in sites if far and (line := fetch_from(Inbound(context, far, name)))]


def fetch_from(inbound: Inbound) -> str:
    """Bring home from one site what is to come; say how much did."""
    came = 0
    try:
        while inbound.any_awaited():
            came += inbound.turn()
    except PenstockError as error:
        return f"{inbound.site}: {error}: the next `penstock run` or `penstock tick` brings the rest"
    return f"{count(came, 'product')} came home from {inbound.site}" if came else ""

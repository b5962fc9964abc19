"""What every part of the conductor shares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from penstock.campaign import Allowance, Campaign
from penstock.clock import Clock
from penstock.conductor.durations import Durations
from penstock.conductor.scope import Scope
from penstock.decide import RETRIES
from penstock.graph import Graph
from penstock.ledger import Ledger
from penstock.ledger.stored import stored_campaign, stored_graph
from penstock.ledger.units import Values
from penstock.site import ClusterJobs, Sites


@dataclass(frozen=True, slots=True)
class Context:
    """One campaign at work: its definition, its record, where it runs, and the clock."""

    ledger: Ledger
    campaign: Campaign
    graph: Graph
    values: Values
    sites: Sites
    clock: Clock
    durations: Durations
    allowances: Mapping[str, Mapping[str, Allowance]]
    overwrite: bool = False
    """Whether products may replace files that penstock did not make, which were not inputs."""
    scope: Scope = field(default_factory=Scope)

    @property
    def longest_delay_s(self) -> float:
        """The longest time that any task waits for its next try."""
        policies = (one for allowed in self.allowances.values() for one in allowed.values())
        return max((max(one.delays_s) for one in policies), default=0.0)


def recorded_context(
    ledger: Ledger, clock: Clock, *, there: Mapping[str, ClusterJobs] | None = None
) -> Context:
    """Return the context of a campaign as its record has it; its Python is not loaded."""
    campaign, graph = replace(stored_campaign(ledger), root=ledger.root), stored_graph(ledger)
    allowances = {stage.name: RETRIES for stage in campaign.stages}
    values, sites, durations = (
        Values(ledger.db, campaign),
        Sites(campaign, there=there),
        Durations(ledger, graph),
    )
    return Context(ledger, campaign, graph, values, sites, clock, durations, allowances)

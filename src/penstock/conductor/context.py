"""What every part of the conductor works with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from penstock.campaign import Allowance, Campaign
from penstock.clock import Clock
from penstock.conductor.measured import Measured
from penstock.graph import Graph
from penstock.ledger import Ledger
from penstock.ledger.units import Values
from penstock.site import Sites


@dataclass(frozen=True, slots=True)
class Context:
    """One campaign being driven: its definition, its record, where it runs, and the clock."""

    ledger: Ledger
    campaign: Campaign
    graph: Graph
    values: Values
    sites: Sites
    clock: Clock
    measured: Measured
    allowances: Mapping[str, Mapping[str, Allowance]]
    overwrite: bool = False
    """Whether products may replace files that penstock did not make, which were not inputs."""

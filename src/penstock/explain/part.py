"""A part of a campaign, as people name it: units, a stage, or both."""

from __future__ import annotations

from collections.abc import Sequence

from penstock.campaign import Campaign
from penstock.conductor.scope import Only
from penstock.config.places import nearest
from penstock.errors import DefinitionError
from penstock.explain.find import find_under, find_units
from penstock.ledger import Ledger


def part_of(campaign: Campaign, units: Sequence[str], stage: str | None) -> Only | None:
    """Return what a run is restricted to, None for everything; units are looked up after the sources were read.

    Raises DefinitionError if there is no such stage.
    """
    names = [s.name for s in campaign.stages]
    if stage and stage not in names:
        raise DefinitionError(f"no stage is called {stage!r}; {nearest(stage, names)}")

    def find(ledger: Ledger) -> list[int]:
        found = [find_units(ledger, name, stage) if stage else find_under(ledger, name) for name in units]
        return [unit for each in found for unit in each]

    return Only(stage, find if units else None) if units or stage else None

"""What lies already where tasks that are not done will write their products."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from penstock.errors import DefinitionError
from penstock.ledger import Ledger
from penstock.ledger.marks import chosen_rows, chosen_stages
from penstock.ledger.readiness import RESTING
from penstock.ledger.stored import stored_campaign, stored_graph
from penstock.ledger.units import Values, rows_of
from penstock.site.existing import Declared, Lying, look_at


def find_lying(ledger: Ledger, target: Mapping[str, Any]) -> list[Lying]:
    """Return the products that are there of the tasks that a target selects, with their digests."""
    return list(look_at(ledger.root, declared(ledger, target)))


def declared(ledger: Ledger, target: Mapping[str, Any]) -> Iterator[Declared]:
    """Yield where the products of tasks will be that are not done yet."""
    campaign, graph = stored_campaign(ledger), stored_graph(ledger)
    values = Values(ledger.db, campaign)
    for name in chosen_stages(graph, target):
        stage, levels = graph.stages[name], campaign.levels[: graph.stages[name].level]
        rows = chosen_rows(ledger.db, graph, name, target) if stage.products else []
        for row in rows_of(ledger.db, [row["unit"] for row in rows if row["state"] in RESTING]):
            seen = values.of(row)
            with suppress(DefinitionError):  # such a task fails when it is submitted, and says so
                for product in stage.products:
                    path = product.path_for([seen[level] for level in levels], seen)
                    yield graph.ids[name], row["id"], product.name, path

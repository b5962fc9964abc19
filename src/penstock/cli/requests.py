"""Commands that leave a request for the conductor: how it is made, and what is answered."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from penstock.cli.options import open_record, whoami
from penstock.display import CAMPAIGN, visible
from penstock.errors import DefinitionError, Held, PenstockError
from penstock.explain import find_stage, find_units
from penstock.explain.find import ROOT
from penstock.ledger import Ledger
from penstock.ledger.hosts.lease import find_holder

SHOWN = 10


def find_targets(root: Path, unit: str | None, stage: str | None) -> list[dict[str, Any]]:
    """Return the targets of a request: one for each unit that `unit` names, or one for all.

    Raises DefinitionError if there is no such unit or stage.
    """
    with open_record(root) as ledger:
        if stage:
            find_stage(ledger.db, stage)
        common = {"stage": stage} if stage else {}
        if unit is None:
            return [{**common, "all": True}]
    return [{**common, "unit": number} for number in _find_units(root, unit)]


def _find_units(root: Path, unit: str) -> list[int]:
    """Find the named units; one that the record does not know is looked up in the sources."""
    with Ledger.open(root, readonly=True) as ledger, suppress(DefinitionError):
        found = find_units(ledger, unit)
        if unit != CAMPAIGN or found != [ROOT]:
            return found
    if not find_holder(root, time.time()):
        from penstock.conductor.discovery import look_for_units

        with suppress(PenstockError):
            look_for_units(root)
    with Ledger.open(root, readonly=True) as ledger:
        return find_units(ledger, unit)


def ask_all(root: Path, action: str, targets: Sequence[dict[str, Any]]) -> None:
    """Make a request for each target and print the first answers."""
    answers = [ask_one(root, action, target) for target in targets]
    for answer in answers[:SHOWN]:
        click.echo(visible(answer))
    if len(answers) > SHOWN:
        click.echo(f"… and {len(answers) - SHOWN} more")
    if action in ("cancel", "veto"):
        for line in _take_away(root):
            click.echo(visible(line))


def ask_one(root: Path, action: str, target: dict[str, Any]) -> str:
    """Make a request in the name of the current user, and return the answer."""
    from penstock.ledger.requests import ask

    return ask(root, action, target, whoami())


def _take_away(root: Path) -> list[str]:
    """Do at once what a conductor would do after such a request, if none is running."""
    from penstock.conductor.cancelling import take_away

    if find_holder(root, time.time()):
        return []
    with suppress(Held):
        return take_away(root)
    return []

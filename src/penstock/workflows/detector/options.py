"""What the commands of the workflow share: options, the record, and the runs that are meant."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from penstock.workflows.setup.campaign import campaign_option
from penstock.workflows.setup.options import bundle

if TYPE_CHECKING:
    from penstock.record import Record
    from penstock.workflows.detector.runs import Run


folder_option = campaign_option("detector")
process_option = click.option("--process", metavar="NAME", help="Which process [the first].")
submit_option = click.option(
    "--submit", "-s", is_flag=True, help="Do it; without, only say what would be done."
)
all_option = click.option(
    "--all", "-a", "every", is_flag=True, help="Of all experiments, not only controlled ones."
)
experiments_argument = click.argument("experiments", nargs=-1, metavar="[EXPERIMENT...]")
listing = bundle(experiments_argument, process_option, folder_option)


def opened(folder: Path, *, look: bool = False) -> Record:
    """Open the record, after a look at the data if that is wished or was never done."""
    from penstock import record
    from penstock.errors import NothingYet

    if look:
        return record.look(folder)
    try:
        return record.open(folder)
    except NothingYet:
        return record.look(folder)


def chosen(found: Record, process: str | None, experiments: Sequence[str]) -> tuple[str, list[Run]]:
    """Give the process that is meant, and the runs."""
    from penstock.workflows.detector.runs import first_process, read_runs

    name = process or first_process(found)
    return name, read_runs(found, name, experiments)

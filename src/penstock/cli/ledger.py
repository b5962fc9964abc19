"""`penstock ledger`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from penstock.cli.options import campaign_option, json_option, open_record, print_json
from penstock.display import visible


@click.group(
    epilog="""\b
Example:
  penstock ledger check"""
)
def ledger() -> None:
    """Look after the record."""


@ledger.command(
    epilog="""\b
Examples:
  penstock ledger check
  penstock ledger check --json"""
)
@campaign_option
@json_option
def check(root: Path, as_json: bool) -> None:
    """Find out whether the record agrees with itself: the file, the states, the counts.

    Ends with 1 if it does not.
    """
    from penstock.ledger.check import check_ledger
    from penstock.ledger.stored import stored_graph

    with open_record(root) as record:
        wrong = check_ledger(record, stored_graph(record))
    if as_json:
        print_json({"wrong": wrong})
    else:
        for line in wrong or ["the ledger agrees with itself"]:
            click.echo(visible(line))
    sys.exit(1 if wrong else 0)


@ledger.command(
    epilog="""\b
Example:
  penstock ledger adopt --yes"""
)
@campaign_option
@click.option("--yes", is_flag=True, help="Yes, the host that has the record is gone for good.")
def adopt(root: Path, yes: bool) -> None:
    """Go on from the published copy of the record, when the host that has it is gone for good.

    Only a campaign on a file system that several hosts share ever needs this, and only after a crash. What was
    given out or done after the copy was made is done again.
    """
    from penstock.ledger.adoption import adopt_record

    click.echo(visible(adopt_record(root, yes=yes)))

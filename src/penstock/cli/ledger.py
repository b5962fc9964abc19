"""`penstock ledger`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from penstock.cli.complete import complete_unit
from penstock.cli.options import campaign_option, json_option, open_record, print_json, stage_option
from penstock.cli.products import compare_products
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
  penstock ledger check --products
  penstock ledger check --products 2020-01-17 --stage calibrate --json"""
)
@click.argument("unit", required=False, metavar="[UNIT]", shell_complete=complete_unit)
@click.option("--products", is_flag=True, help="Read all products, too, and compare them with the record.")
@stage_option
@campaign_option
@json_option
def check(unit: str | None, products: bool, stage: str | None, root: Path, as_json: bool) -> None:
    """Find out whether the record agrees with itself: the file, the states, the counts.

    With --products, also whether each product (of a UNIT, a group, a stage) is there with the bytes that were made. What
    is missing or differs is stale then, and `penstock run --stale` makes it again. Ends with 1 if anything is wrong.
    """
    from penstock.ledger.check import check_ledger
    from penstock.ledger.stored import stored_graph

    if (unit or stage) and not products:
        raise click.UsageError("UNIT and --stage choose among products: add --products")
    with open_record(root) as record:
        wrong = check_ledger(record, stored_graph(record))
    compared = compare_products(root, unit, stage) if products else None
    if as_json:
        print_json({"wrong": wrong, **(compared.to_json() if compared else {})})
    else:
        lines = [*(wrong or ["the ledger agrees with itself"]), *(compared.to_lines() if compared else ())]
        for line in lines:
            click.echo(visible(line))
    sys.exit(1 if wrong or (compared and compared.found) else 0)


@ledger.command(
    epilog="""\b
Example:
  penstock ledger backup /backup/winter.sqlite"""
)
@campaign_option
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def backup(root: Path, file: Path) -> None:
    """Copy the record into FILE, also while penstock works on it.

    A plain copy of .penstock/ledger.sqlite lacks what is still in the file beside it.
    """
    from penstock.ledger.backup import back_up

    click.echo(visible(f"backup: {back_up(root, file.absolute())}; `penstock ledger restore` brings it back"))


@ledger.command(
    epilog="""\b
Example:
  penstock ledger restore /backup/winter.sqlite"""
)
@campaign_option
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def restore(root: Path, file: Path) -> None:
    """Let the record be as it was when `penstock ledger backup` made FILE; nothing may work on the campaign.

    The present record is kept beside it. What was done since is done again.
    """
    from penstock.ledger.backup import restore

    kept = restore(root, file.absolute())
    click.echo(visible(f"restored from {file}; the record of before is {kept}; `penstock run` goes on"))


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
    from penstock.ledger.hosts.adoption import adopt_record

    click.echo(visible(adopt_record(root, yes=yes)))

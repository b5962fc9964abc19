"""`penstock close`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from penstock.cli.options import campaign_option, json_option, open_record, print_json
from penstock.cli.requests import units_argument
from penstock.display import count, visible
from penstock.record.asking import Question, request, targets_of

if TYPE_CHECKING:
    from penstock.closing.checking import Checked

NOTHING = "nothing done"  # how an answer begins


@click.command(
    epilog="""\b
Examples:
  penstock close 2020-01-17
  penstock close 2020-01-17 --yes --why "the rest of the night was cloudy"
  penstock close --verify 2020-01-17"""
)
@units_argument
@click.option("--yes", "-y", is_flag=True, help="Do not ask first.")
@click.option(
    "--verify", is_flag=True, help="Read all files of a closed group again, and name those that differ."
)
@click.option("--why", metavar="TEXT", help="The reason, for the record.")
@campaign_option
@json_option
def close(
    units: tuple[str, ...], yes: bool, verify: bool, why: str | None, root: Path, as_json: bool
) -> None:
    """Close a group now, or check a closed one.

    UNIT is a group of a level with a [close.LEVEL] in the definition. A group whose tasks are done closes by itself when
    the conditions of its level are met; this closes one earlier, or again after `penstock reopen`. With --verify the exit
    code is 1 when a file is missing, differs from the seal, or is not in it.
    """
    if verify:
        show_checked(root, units, as_json=as_json)
        return
    from penstock.record.rehearsing import rehearse

    with open_record(root) as ledger:
        targets = targets_of(ledger, Question("close", units, why=why))
    if not yes:
        for target in targets:
            click.echo(visible(rehearse(root, "close", target).answer), err=as_json)
        click.confirm("go on?", abort=True, err=as_json)
    answers = [request(root, "close", target) for target in targets]
    if as_json:
        print_json({"asked": {"units": list(units), "why": why}, "answers": answers})
        return
    for answer in answers:
        click.echo(visible(answer))
    if any(NOTHING not in answer for answer in answers) and not is_driven(root):
        click.echo("nobody works on the campaign: `penstock run` does it")


def is_driven(root: Path) -> bool:
    """Whether a conductor is at work."""
    from penstock.ledger.hosts.lease import find_holder

    return bool(find_holder(root, time.time()))


def show_checked(root: Path, units: Sequence[str], *, as_json: bool) -> None:
    """Print what came of reading closed groups again; exits with 1 if anything is not as it was sealed."""
    from penstock.closing.checking import check
    from penstock.explain import find_units

    with open_record(root) as ledger:
        named = dict.fromkeys(unit for text in units for unit in find_units(ledger, text))
        found = [check(ledger, unit) for unit in named]
    if as_json:
        print_json([to_json(one, root) for one in found])
    else:
        for one in found:
            click.echo(visible(f"{one.group}: {say(one)}"))
            for fault in one.faults:
                click.echo(visible(f"  {fault.kind} {fault.path}"))
    if any(one.faults for one in found):
        click.get_current_context().exit(1)


def say(checked: Checked) -> str:
    """Say in a word how it is."""
    return (
        f"{count(len(checked.faults), 'file')} not as sealed" if checked.faults else "all files are as sealed"
    )


def to_json(checked: Checked, root: Path) -> dict[str, Any]:
    """Return plain data."""
    seal = str(checked.seal.relative_to(root))
    return {"group": checked.group, "seal": seal, "faults": [fault._asdict() for fault in checked.faults]}

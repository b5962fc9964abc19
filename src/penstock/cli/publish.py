"""`penstock publish`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from penstock.cli.complete import complete_publication
from penstock.cli.options import campaign_option, json_option, load_campaign, open_record, print_json
from penstock.display import count, show_bytes, visible
from penstock.errors import DefinitionError

if TYPE_CHECKING:
    from penstock.campaign import Campaign
    from penstock.ledger import Ledger
    from penstock.outputs import Publication
    from penstock.publishing import Published, Wanted


@click.command(
    epilog="""\b
Examples:
  penstock publish
  penstock publish --dry-run
  penstock publish web 2020-01-17"""
)
@click.argument("words", nargs=-1, metavar="[NAME...]", shell_complete=complete_publication)
@click.option("--dry-run", is_flag=True, help="Look at what is there, and say what would be done.")
@campaign_option
@json_option
def publish(words: tuple[str, ...], dry_run: bool, root: Path, as_json: bool) -> None:
    """Put what is done now where others see it.

    NAME is a table [publish.NAME] of the definition, or a group; without any all is published. What is there already is
    compared by its digest and not sent again; what was published before and is no longer wanted is removed; whatever
    else is there is left alone. With --dry-run the exit code is 1 if something stands in the way.
    """
    campaign = load_campaign(root, ())
    names, units = told_apart(campaign, words)
    found: list[tuple[str, Published]] = []
    for name in names:
        publication = campaign.publish[name]
        for one in published(root, campaign, publication, units, dry=dry_run, quiet=as_json):
            found.append((name, one))
            if not as_json:
                click.echo(visible(f"{name} {one.group}: {say(one, dry=dry_run)}"))
                for why in one.refused:
                    click.echo(visible(f"  {why}"))
    if as_json:
        print_json([{"name": name, **asdict(one)} for name, one in found])
    elif not found:
        click.echo("nothing to publish: no product of these is done yet")
    if any(one.refused for _, one in found):
        click.get_current_context().exit(1)


def told_apart(campaign: Campaign, words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the publications that are meant, and the units; raises DefinitionError if there is no publication at all."""
    if not campaign.publish:
        raise DefinitionError(
            "nothing says what to publish: add a table [publish.NAME] to the definition", file=campaign.file
        )
    names = [word for word in words if word in campaign.publish]
    return names or [*campaign.publish], [word for word in words if word not in campaign.publish]


def published(
    root: Path, campaign: Campaign, publication: Publication, units: Sequence[str], *, dry: bool, quiet: bool
) -> Iterator[Published]:
    """Publish what is named, and yield what came of each part."""
    from penstock.publishing import publish_parts

    def tell(text: str) -> None:
        click.echo(visible(text), err=True)

    parts = parts_of(root, campaign, publication, units)
    more: Mapping[str, Any] = {} if quiet else {"say": tell}
    return publish_parts(campaign, publication, parts, dry=dry, **more)


def parts_of(root: Path, campaign: Campaign, publication: Publication, units: Sequence[str]) -> Wanted:
    """Return what is to be published, as the record has it at one moment."""
    from penstock.publishing import wanted

    with open_record(root) as ledger:
        ledger.db.execute("BEGIN")
        return wanted(ledger, campaign, publication, groups_of(ledger, publication, units))


def groups_of(ledger: Ledger, publication: Publication, units: Sequence[str]) -> list[int]:
    """Return the groups that are meant: for a finer unit the one that it is published with."""
    from penstock.explain import find_units
    from penstock.ledger.units import ROOT, rows_of

    named = [unit for text in units for unit in find_units(ledger, text)]
    level = publication.level
    groups = [
        row["id"] if row["level"] <= level else row[f"g{level}"] if level else ROOT
        for row in rows_of(ledger.db, named)
    ]
    return [*dict.fromkeys(groups)] or [ROOT]


def say(one: Published, *, dry: bool) -> str:
    """Say in a line what came of a part."""
    there = len(one.sent) + len(one.kept)
    done = {
        "to send" if dry else "sent": len(one.sent),
        "to remove" if dry else "removed": len(one.removed),
        "in the way": len(one.refused),
    }
    told = ", ".join(f"{number:,} {what}" for what, number in done.items() if number) or "nothing to do"
    return f"{count(there, 'file')}, {show_bytes(one.bytes)}: {told}"

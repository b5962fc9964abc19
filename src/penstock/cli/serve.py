"""`penstock serve`."""

from __future__ import annotations

from pathlib import Path

import click

from penstock.cli.options import resolve_root
from penstock.display import count


@click.command(
    epilog="""\b
Examples:
  penstock serve --export /var/www/winter
  penstock serve winter summer --export pages"""
)
@click.argument(
    "folders", nargs=-1, metavar="[DIR...]", type=click.Path(path_type=Path, exists=True, file_okay=False)
)
@click.option(
    "--export",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    metavar="FOLDER",
    help="Write static pages into FOLDER, each whole or not at all; no server is needed.",
)
@click.option(
    "-C", "--campaign", metavar="DIR", help="The campaign's folder [default: here, or the nearest one above]."
)
@click.pass_context
def serve(ctx: click.Context, folders: tuple[Path, ...], export: Path, campaign: str | None) -> None:
    """Show campaigns in a browser.

    DIR is a campaign's folder; without one it is the campaign here. The pages have the numbers of `status`, `why`, `jobs`,
    `history` and `report`. They read the record, or its published copy where it is on another host, and write nothing into it.
    """
    from penstock.serve.campaigns import shown_in
    from penstock.serve.export import export as write

    files = write(shown_in(folders or [resolve_root(ctx, ctx.command.params[-1], campaign)]), export)
    click.echo(f"{count(files, 'file')} in {export}: open {export / 'index.html'}")

"""`penstock graph`."""

from __future__ import annotations

from pathlib import Path

import click

from penstock.cli.options import campaign_option, load_campaign, set_option
from penstock.disk import write_public


@click.command(
    epilog="""\b
Examples:
  penstock graph                          # Mermaid, to paste into a page or an issue
  penstock graph --output stages.svg
  penstock graph --closing --format svg > stages.svg"""
)
@campaign_option
@set_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["mermaid", "svg"]),
    help="How it is written  [default: svg into FILE.svg, else mermaid].",
)
@click.option("--closing", is_flag=True, help="With the steps of closings.")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write FILE, whole or not at all.",
)
def graph(
    root: Path, overrides: tuple[str, ...], form: str | None, closing: bool, output: Path | None
) -> None:
    """Draw the stages of the definition, and which waits for which.

    Nothing is run or read but the definition; `penstock serve` shows the same with how far each stage is.
    """
    from penstock.flowchart import write_mermaid, write_svg

    campaign = load_campaign(root, overrides)
    drawn = form or ("svg" if output and output.suffix.lower() == ".svg" else "mermaid")
    text = (write_svg if drawn == "svg" else write_mermaid)(campaign, closing=closing)
    if output is None:
        click.echo(text, nl=False)
    else:
        write_public(output, text.encode())

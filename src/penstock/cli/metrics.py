"""`penstock metrics`."""

from __future__ import annotations

import time
from pathlib import Path

import click

from penstock.cli.options import campaign_option, open_record
from penstock.disk import write_public


@click.command(
    epilog="""\b
Examples:
  penstock metrics
  penstock metrics --output /var/lib/node_exporter/winter.prom"""
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write FILE, whole or not at all, as node_exporter's textfile collector wants it.",
)
@campaign_option
def metrics(output: Path | None, root: Path) -> None:
    """Print numbers for Prometheus: tasks by stage and state, the last turn, what could not be sent.

    They are read from counts that the record keeps; no unit is named.
    """
    from penstock.status.metrics import render_metrics

    with open_record(root) as ledger:
        text = render_metrics(ledger, time.time())
    if output is None:
        click.echo(text, nl=False)
    else:
        write_public(output, text.encode())

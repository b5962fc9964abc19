"""`penstock metrics`."""

from __future__ import annotations

import os
import time
from pathlib import Path

import click

from penstock.cli.options import campaign_option, open_record


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
        write_public(output, text)


def write_public(file: Path, text: str) -> None:
    """Replace a file that everybody may read; its collector sees the old one or the new one."""
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    draft.write_text(text, "utf-8")
    draft.chmod(0o644)
    draft.replace(file)

"""`penstock report`."""

from __future__ import annotations

from pathlib import Path

import click

from penstock.cli.options import campaign_option, json_option, open_record, print_json, stage_option


@click.command(
    epilog="""\b
Examples:
  penstock report
  penstock report --stage calibrate --json"""
)
@stage_option
@campaign_option
@json_option
def report(stage: str | None, root: Path, as_json: bool) -> None:
    """Show what the stages used, and suggest what to request.

    Time, CPU, memory and failures of each stage, measured by the runner itself, beside what the definition
    asks for; and resources and a batch size that would fit. Where job arrays were used, also what their elements
    took of what they asked for.
    """
    from penstock.report import Report

    with open_record(root) as ledger:
        made = Report.read(ledger, stage)
    if as_json:
        print_json(made.to_json())
    else:
        click.echo(made.to_text())

"""`penstock run`."""

from __future__ import annotations

from pathlib import Path

import click

from penstock.cli.options import campaign_option, load_campaign, overwrite_option, set_option


@click.command(
    epilog="""\b
Examples:
  penstock run
  penstock run --set stage.psd.params.window=2048
  penstock run --stale            # also redo what an older definition made"""
)
@campaign_option
@set_option
@click.option("--stale", is_flag=True, help="Redo also what is done but stale.")
@click.option("--accept-gone", is_flag=True, help="Believe it when many files are missing at once.")
@overwrite_option
@click.option(
    "--allow-problems", is_flag=True, help="End with 0 also when rows or files were not understood."
)
def run(
    root: Path,
    overrides: tuple[str, ...],
    stale: bool,
    accept_gone: bool,
    overwrite: bool,
    allow_problems: bool,
) -> None:
    """Work until nothing can change without a new file or a person.

    Interrupt it as you like: the same command goes on. Ctrl-C once stops submitting and asks running work on
    this machine to give back the rest; twice leaves at once. Jobs at clusters go on. Ends with 1 when tasks have
    failed, when rows or files of a source were not understood, or when it was told to stop.
    """
    from penstock.cli.drive import drive

    drive(
        load_campaign(root, overrides),
        command="run",
        accept_gone=accept_gone,
        overwrite=overwrite,
        allow_problems=allow_problems,
        work=lambda conductor, observe: conductor.run(observe=observe, stale=stale),
    )

"""`penstock watch`."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from penstock.cli.background import background_option, keep_short, leave_terminal
from penstock.cli.options import campaign_option, load_campaign, overwrite_option, set_option

if TYPE_CHECKING:
    from penstock.cli.live import Observe
    from penstock.ledger import Ledger


@click.command(
    epilog="""\b
Examples:
  penstock watch
  penstock up                     # the same in the background"""
)
@campaign_option
@set_option
@click.option("--until-done", is_flag=True, help="Exit when nothing more can change, as `run` does.")
@background_option
@click.option("--tell", type=int, hidden=True, help="For `up`: where to write when the first turn is done.")
@overwrite_option
def watch(
    root: Path,
    overrides: tuple[str, ...],
    until_done: bool,
    background: bool,
    tell: int | None,
    overwrite: bool,
) -> None:
    """Keep working as new data arrive, until stopped (Ctrl-C, or `penstock down`)."""
    from penstock.cli.drive import drive
    from penstock.conductor.completeness import refuse_endless

    if background:
        leave_terminal(root)
    if tell is not None:
        os.set_inheritable(tell, False)
    campaign = load_campaign(root, overrides)
    if not until_done:
        refuse_endless(campaign)
    drive(
        campaign,
        command="up" if background else "watch",
        overwrite=overwrite,
        work=lambda conductor, observe: conductor.watch(
            observe=logging(observe, tell) if background else observe, until_done=until_done
        ),
    )


def logging(observe: Observe, news: int | None) -> Observe:
    """Return an `observe` that keeps the log short, and whose first call also tells `up` that the start succeeded."""
    waiting = [] if news is None else [news]

    def tell_and_observe(ledger: Ledger) -> None:
        if waiting:
            with open(waiting.pop(), "wb") as pipe, suppress(BrokenPipeError):
                pipe.write(b"1")
        keep_short(ledger.root)
        observe(ledger)

    return tell_and_observe

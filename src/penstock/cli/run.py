"""`penstock run`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from penstock.cli.background import background_option, leave_terminal, logging, tell_option
from penstock.cli.complete import complete_unit
from penstock.cli.hints import Hinting
from penstock.cli.options import (
    PLACE,
    campaign_option,
    load_campaign,
    overwrite_option,
    set_option,
    stage_option,
)

if TYPE_CHECKING:
    from penstock.campaign import Campaign
    from penstock.conductor.scope import Only
    from penstock.site import FeedingSite


def find_notebook(ctx: click.Context, _: click.Parameter, units: tuple[str, ...]) -> tuple[str, ...]:
    """Have the campaign looked for where the notebook is, if one is named."""
    from penstock.notebook.shell import is_notebook

    if units and is_notebook(units[0]):
        ctx.meta[PLACE] = Path(units[0]).absolute().parent
    return units


@click.command(
    cls=Hinting,
    epilog="""\b
Examples:
  penstock run
  penstock run -n                     # what would be done, as `penstock plan` shows it
  penstock run 2020-01-17 --stage calibrate
  penstock run --set stage.psd.params.window=2048
  penstock run --stale                # also redo what an older definition made
  penstock run analysis.ipynb         # the campaign that its cells define
  penstock run --json | jq -r 'select(.outcome != "ok") | .unit'""",
)
@click.argument(
    "units",
    nargs=-1,
    metavar="[UNIT]...",
    shell_complete=complete_unit,
    is_eager=True,
    callback=find_notebook,
)
@stage_option
@campaign_option
@set_option
@click.option(
    "--cores", type=click.IntRange(1), metavar="N", help="Use N cores of this machine, for this run only."
)
@click.option("--stale", is_flag=True, help="Also redo what is stale.")
@click.option("--accept-gone", is_flag=True, help="Accept that many files are missing at once.")
@overwrite_option
@click.option(
    "--allow-problems",
    is_flag=True,
    help="Exit with 0 even if rows or files were not understood, suspiciously many products are missing, or one cannot come"
    " home.",
)
@click.option("-n", "--dry-run", is_flag=True, help="Show what would be done, as `plan` does.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing unless something failed.")
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON for each attempt that ends.")
@background_option
@tell_option
def run(
    units: tuple[str, ...],
    stage: str | None,
    root: Path,
    overrides: tuple[str, ...],
    cores: int | None,
    dry_run: bool,
    **options: Any,
) -> None:
    """Work until nothing can change without a new file or a person.

    The first UNIT may be a notebook (.ipynb, or a script .py): it is run up to its `campaign.run()`, and then that
    campaign.

    With UNIT (a unit, a group with everything in it, a pattern) or --stage, only these tasks and those they need;
    the others are left alone.

    Interrupt it at any time: the same command continues. Ctrl-C once stops submitting and asks running work on
    this machine to return the rest; twice exits at once. Jobs at clusters continue. The exit code is 1 when tasks
    failed, when others wait or are blocked though nobody decided so (by a veto, or by `where` and the like in the
    definition), when rows or files of a source were not understood, when a file here is in the way of a product that
    comes home, or when it was stopped. So `penstock run && publish` publishes what is whole.
    """
    if options["background"]:
        leave_terminal(root, options["tell"])
    if PLACE in click.get_current_context().meta:
        from penstock.notebook.shell import leave_definition

        root, units = leave_definition(Path(units[0])), units[1:]
    campaign, only = load_campaign(root, overrides), None
    if units or stage:
        from penstock.explain.part import part_of

        only = part_of(campaign, units, stage)
    if dry_run:
        from penstock.cli.plan import show_plan

        show_plan(campaign, only=only, as_json=options["as_json"])
    else:
        work(campaign, only, cores, **options)


def work(
    campaign: Campaign,
    only: Only | None,
    cores: int | None,
    *,
    stale: bool,
    accept_gone: bool,
    overwrite: bool,
    allow_problems: bool,
    quiet: bool,
    as_json: bool,
    background: bool,
    tell: int | None,
) -> None:
    """Drive the campaign."""
    from penstock.cli.drive import drive
    from penstock.cli.manners import EVENTS, PROGRESS, QUIET

    drive(
        campaign,
        command="up" if background else "run",
        accept_gone=accept_gone,
        overwrite=overwrite,
        allow_problems=allow_problems,
        site=here_with(campaign, cores) if cores else None,
        manner=EVENTS if as_json else QUIET if quiet else PROGRESS,
        work=lambda conductor, observe: conductor.run(
            observe=logging(observe, tell) if background else observe, stale=stale, only=only
        ),
    )


def here_with(campaign: Campaign, cores: int) -> FeedingSite:
    """Return this machine with so many cores: no part of the definition, so that nothing of it is remembered."""
    from penstock.site import LocalSite

    return LocalSite(replace(campaign.sites["local"], cores=cores), campaign.root)

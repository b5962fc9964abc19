"""`penstock sweep …`: the commands."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from penstock.errors import DefinitionError
from penstock.workflows.setup.options import json_option
from penstock.workflows.sweep.options import (
    complete_column,
    find_sweep,
    sweep_argument,
    sweep_option,
)

STATES = ("new", "waiting", "ready", "queued", "running", "done", "failed", "blocked", "vetoed", "gone")
SHOWN = 10  # answers


@click.group("sweep", invoke_without_command=True)
@click.pass_context
def group(ctx: click.Context) -> None:
    """Sweeps over the inputs of a program. Without a command, a menu of those in this folder."""
    if ctx.invoked_subcommand is None:
        if not sys.stdin.isatty():
            click.echo(ctx.get_help())
            return
        from penstock.workflows.sweep.menu import open_menu

        open_menu(Path())


@group.command(
    epilog="""\b
Examples:
  penstock sweep new heat
  penstock sweep new              # asks for the folder"""
)
@click.argument("folder", metavar="[DIR]", required=False, type=click.Path(file_okay=False, path_type=Path))
def new(folder: Path | None) -> None:
    """Write the sweep of DIR by answering questions: which program, what varies, and how.

    It is kept after each answer, so that Ctrl-C loses nothing. A sweep that is there already is changed.
    """
    from penstock.workflows.sweep.menu import make_sweep

    make_sweep(folder)


@group.command(
    epilog="""\b
Examples:
  penstock sweep plan
  penstock sweep plan heat --json"""
)
@sweep_argument
@json_option
def plan(folder: Path, as_json: bool) -> None:
    """Show what the sweep in DIR would run: how many points, the first and last; nothing is written."""
    from penstock.workflows.sweep.campaign import plan_changes
    from penstock.workflows.sweep.plan import describe_plan, plan_to_json
    from penstock.workflows.sweep.points import say_changes

    planned = plan_changes(folder)
    if as_json:
        click.echo(json.dumps({**plan_to_json(planned.plan), **planned.changes}, indent=2))
        return
    for line in describe_plan(planned.plan):
        click.echo(line)
    click.echo(say_changes(planned.changes))


@group.command(
    epilog="""\b
Examples:
  penstock sweep extend
  penstock sweep extend heat"""
)
@sweep_argument
def extend(folder: Path) -> None:
    """Add the points of the sweep in DIR to its campaign: points.csv grows, and each new point gets its inputs."""
    from penstock.workflows.sweep.campaign import lay_out
    from penstock.workflows.sweep.points import say_changes

    laid = lay_out(folder)
    click.echo(f"{say_changes(laid.changes)}; next: cd {shlex.quote(str(folder))} && penstock run")


@group.command(
    epilog="""\b
Examples:
  penstock sweep submit heat
  penstock sweep submit heat --site cluster
  penstock sweep submit --wait"""
)
@sweep_argument
@click.option("--site", metavar="NAME", help="The site where it runs, of penstock.toml [local].")
@click.option("--wait", is_flag=True, help="Run it here and wait, rather than in the background.")
@click.pass_context
def submit(ctx: click.Context, folder: Path, site: str | None, wait: bool) -> None:
    """Add the points of the sweep in DIR to its campaign and run them, in the background: you can log out."""
    from penstock.workflows.sweep.points import say_changes
    from penstock.workflows.sweep.submitting import IN_BACKGROUND, find_executable, run_penstock, site_of
    from penstock.workflows.sweep.submitting import submit as lay_out

    laid = lay_out(folder)
    click.echo(say_changes(laid.changes))
    is_here = (site or site_of(folder)) == "local"
    if is_here and not laid.plan.program.build and not find_executable(folder, laid.plan.program.executable):
        raise DefinitionError(
            f"{laid.plan.program.executable} is neither in {folder} nor on PATH; put it there, then submit again"
        )
    words = [*(("run",) if wait else IN_BACKGROUND), *(("--site", site) if site else ())]
    ctx.exit(run_penstock(folder, words))


@group.command(
    epilog="""\b
Examples:
  penstock sweep adapt search
  penstock sweep adapt search --rounds 3"""
)
@sweep_argument
@click.option("--rounds", type=click.IntRange(1), help="Ask at most so often [until no more is wanted].")
@click.pass_context
def adapt(ctx: click.Context, folder: Path, rounds: int | None) -> None:
    """Run the sweep in DIR, ask its function `more` for further points, run these, until it wants no more."""
    from penstock.workflows.sweep.submitting import adapt as go_on

    ctx.exit(go_on(folder, click.echo, rounds=rounds))


@group.command(
    epilog="""\b
Examples:
  penstock sweep receive
  penstock sweep receive heat"""
)
@sweep_argument
def receive(folder: Path) -> None:
    """Take in what has come of the sweep in DIR, and say how far it is; what failed points left goes to failed/."""
    from penstock.workflows.sweep.submitting import receive as take_in

    for line in take_in(folder):
        click.echo(line)


@group.command(
    "list",
    epilog="""\b
Examples:
  penstock sweep list
  penstock sweep list 'T < 1 and energy > -1.2'
  penstock sweep list --state failed --json""",
)
@click.argument("condition", metavar="[WHERE]", required=False)
@click.option(
    "--state", "states", multiple=True, type=click.Choice(STATES), help="Only points in this state."
)
@click.option("--all", "dropped", is_flag=True, help="Also points that the sweep has no more.")
@click.option(
    "--limit", type=click.IntRange(0), default=100, show_default=True, help="How many to list; 0: all."
)
@click.option(
    "-C", "--campaign", "folder", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The folder of a sweep, or of sweeps [default: here].",
)  # fmt: skip
@json_option
def list_points(
    condition: str | None,
    states: Sequence[str],
    dropped: bool,
    limit: int,
    folder: Path | None,
    as_json: bool,
) -> None:
    """List the points of the sweep here: their states, what varies, and results; elsewhere, the sweeps of the folder.

    WHERE is an expression over variables, results, seconds, memory and state; where one of these is missing, it does
    not hold.
    """
    from penstock.workflows.sweep.listing import filter_points, point_lines, results_to_json
    from penstock.workflows.sweep.results import read_results

    if not condition and not states and (root := _folder_of_sweeps(folder or Path())):
        _list_sweeps(root, as_json=as_json)
        return
    results = read_results(find_sweep(folder or Path()))
    found = filter_points(results, where=condition, states=states, dropped=dropped)
    if as_json:
        click.echo(json.dumps(results_to_json(found.first(limit)), indent=2))
        return
    for line in point_lines(found.first(limit)):
        click.echo(line)
    if len(found.rows) > limit > 0:
        click.echo(f"… and {len(found.rows) - limit:,} more: --limit 0 shows all", err=True)
    if stale := found.stale():
        told = f"{len(stale):,} of these are stale, such as {stale[0]['point']}: {stale[0]['why']}"
        again = (
            "`penstock run --stale` redoes them, `penstock sweep retry --missing` those that lack a result"
        )
        click.echo(f"{told}; {again}", err=True)


def _folder_of_sweeps(folder: Path) -> Path | None:
    """Return the folder if it is none of a sweep and there are sweeps in it."""
    from penstock.workflows.sweep.listing import find_sweeps

    found = find_sweeps(folder)
    return folder if found and found != [folder] else None


def _list_sweeps(folder: Path, *, as_json: bool) -> None:
    from penstock.workflows.sweep.listing import list_sweeps, sweep_lines

    sweeps = list_sweeps(folder)
    if as_json:
        click.echo(json.dumps([each._asdict() for each in sweeps], indent=2))
    else:
        click.echo("\n".join(sweep_lines(sweeps)))


@group.command(
    epilog="""\b
Examples:
  penstock sweep retry
  penstock sweep retry 'T < 1'
  penstock sweep retry --missing     # also what is done and left no result"""
)
@click.argument("condition", metavar="[WHERE]", required=False)
@click.option("--missing", is_flag=True, help="Also points that are done, of which a result is missing.")
@sweep_option
def retry(condition: str | None, missing: bool, folder: Path) -> None:
    """Run failed points again, and only these.

    WHERE is an expression over variables and results.
    """
    from penstock.workflows.sweep.results import read_results
    from penstock.workflows.sweep.retrying import ask_again, find_failed, find_missing

    results = read_results(folder).planned()
    results = results.where(condition) if condition else results
    asked = {"retry": find_failed(results), "redo": find_missing(results) if missing else []}
    answers = [answer for action, points in asked.items() for answer in ask_again(folder, action, points)]
    if not answers:
        click.echo("no point failed" + (" or lacks a result" if missing else ""))
        return
    for answer in answers[:SHOWN]:
        click.echo(answer)
    if len(answers) > SHOWN:
        click.echo(f"… and {len(answers) - SHOWN:,} more")
    click.echo(f"next: cd {shlex.quote(str(folder))} && penstock run")


@group.command(
    epilog="""\b
Examples:
  penstock sweep analyse heat
  penstock sweep analyse --by T --by size --result energy
  penstock sweep analyse --where 'T < 3' --output cold --parquet"""
)
@sweep_argument
@click.option("--by", multiple=True, metavar="NAME", shell_complete=complete_column,
              help="A variable to tell apart; over others is averaged [all that varies but the seed].")  # fmt: skip
@click.option("--result", "only", multiple=True, metavar="NAME", shell_complete=complete_column,
              help="A result to look at [all].")  # fmt: skip
@click.option("--where", metavar="WHERE", help="Only points for which an expression holds.")
@click.option("--output", metavar="DIR", type=click.Path(file_okay=False, path_type=Path),
              help="Where to write [analysis, in the sweep's folder].")  # fmt: skip
@click.option("--parquet", is_flag=True, help="Also write results.parquet; needs the extra tables.")
def analyse(
    folder: Path,
    by: Sequence[str],
    only: Sequence[str],
    where: str | None,
    output: Path | None,
    parquet: bool,
) -> None:
    """Write averages, pictures and a page of the sweep in DIR, as PNG, CSV and HTML.

    Over one variable there is a line with standard errors, over two a heat map and lines.
    """
    from penstock.workflows.sweep.analysis import FOLDER
    from penstock.workflows.sweep.analysis import analyse as write_analysis
    from penstock.workflows.sweep.results import misread

    out = output or folder / FOLDER
    results = write_analysis(folder, out, by=by, only=only, where=where, parquet=parquet)
    for sentence in misread(results):
        click.echo(sentence, err=True)
    click.echo(f"{len(results.rows):,} points; see {(out / 'index.html').resolve().as_uri()}")


@group.command(
    epilog="""\b
Examples:
  penstock sweep compare heat heat-again
  penstock sweep compare heat other --on T --on seed --tolerance 1e-9"""
)
@click.argument("first", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("second", metavar="OTHER", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--on", multiple=True, metavar="NAME", help="A variable by which points are matched [all that both have]."
)
@click.option(
    "--tolerance",
    type=click.FloatRange(0),
    default=0.0,
    help="Relative; numbers nearer than it are the same [0].",
)
@json_option
def compare(first: Path, second: Path, on: Sequence[str], tolerance: float, as_json: bool) -> None:
    """Compare the results of the sweeps in DIR and OTHER, point by point."""
    from penstock.workflows.sweep.comparison import compare as compare_results
    from penstock.workflows.sweep.comparison import comparison_lines
    from penstock.workflows.sweep.results import read_results

    one, two = (read_results(folder).planned() for folder in (first, second))
    compared = compare_results(one, two, on=on, tolerance=tolerance)
    if as_json:
        told = {**compared._asdict(), "differences": [each._asdict() for each in compared.differences]}
        click.echo(json.dumps(told, indent=2))
        return
    for line in comparison_lines(compared, str(first), str(second)):
        click.echo(line)

"""`penstock detector …`: the commands; those of the old scripts answer to their numbers, too."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from penstock.workflows.detector.options import (
    all_option,
    chosen,
    folder_option,
    listing,
    opened,
    process_option,
    submit_option,
)
from penstock.workflows.detector.results import COMMANDS
from penstock.workflows.setup.campaign import find_campaign, run_penstock, say
from penstock.workflows.setup.options import json_option

if TYPE_CHECKING:
    from penstock.record import Record
    from penstock.workflows.detector.runs import Run

#: number of the old scripts → the command, and what goes with it
NUMBERS = {
    "1": ("new",),
    "2": ("new", "--all"),
    "4": ("missing",),
    "5": ("statistics", "--runs"),
    "10": ("mark",),
    "20": ("mark", "--all"),
    "40": ("archive",),
}


class Numbered(click.Group):
    """A group whose commands answer to the numbers that they had."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        return super().resolve_command(ctx, [*NUMBERS.get(args[0], (args[0],)), *args[1:]])


@click.group("detector", cls=Numbered, invoke_without_command=True)
@click.pass_context
def group(ctx: click.Context) -> None:
    """Runs of detectors: which are new, which were processed, which are gone.

    Without a command, the campaign's experiments. What changes anything does so with --submit only. The numbers of the
    old scripts are commands, too: 1, 2, 4, 5, 10, 20, 40.
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(
            statistics,
            experiments=(),
            process=None,
            folder=find_campaign(ctx, "detector"),
            runs=False,
            as_json=False,
        )


def print_runs(runs: Iterable[Run], *, as_json: bool) -> None:
    """Print a line a run."""
    if as_json:
        click.echo(json.dumps([run._asdict() for run in runs]))
        return
    lines = (f"{run.unit}  {run.state}{f': {run.why}' if run.why else ''}" for run in runs)
    if text := "\n".join(lines):
        click.echo(text)


def of_experiments(runs: Sequence[Run]) -> str:
    """Count runs and their experiments."""
    from penstock.workflows.detector.runs import counted

    return f"{counted(len(runs), 'run')} of {counted(len({run.experiment for run in runs}), 'experiment')}"


@group.command()
@listing
@click.option("--runs", is_flag=True, help="Also each run.")
@json_option
def statistics(
    experiments: Sequence[str], process: str | None, folder: Path, runs: bool, as_json: bool
) -> None:
    """Count runs by their states (5).

    Of each instrument and experiment; with --runs each run is listed, too.

    With the name of an EXPERIMENT, only of that one.
    """
    from penstock.workflows.detector.runs import Counts, by_experiment, by_instrument, table_of, without_data

    with opened(folder) as found:
        name, every = chosen(found, process, experiments)
    counts = [*by_instrument(every), *by_experiment(every), Counts.of("all", every)]
    if as_json:
        told = {"process": name, "counts": [each.to_json() for each in counts]}
        click.echo(json.dumps(told | ({"runs": [run._asdict() for run in every]} if runs else {})))
        return
    click.echo("\n".join(table_of(counts)))
    if runs:
        print_runs(every, as_json=False)
    for absent in without_data(folder, every) if not experiments else ():
        say(f"warning: {absent} is in experiments.txt, and has no run")


@group.command()
@listing
@all_option
@click.option("--submit", "-s", is_flag=True, help="Give out what is new, by one `penstock tick`.")
@json_option
@click.pass_context
def new(
    ctx: click.Context,
    experiments: Sequence[str],
    process: str | None,
    folder: Path,
    every: bool,
    submit: bool,
    as_json: bool,
) -> None:
    """List the runs that are not processed yet (1, 2).

    Of controlled experiments (1) or of --all (2).

    With the name of an EXPERIMENT, only of that one.
    """
    from penstock.workflows.detector.runs import SEEN

    with opened(folder) as found:
        name, runs = chosen(found, process, experiments)
    wanted = [run for run in runs if run.new and (every or run.state != SEEN)]
    print_runs(wanted, as_json=as_json)
    say(f"{of_experiments(wanted)} not processed by {name}")
    if submit:
        ctx.exit(run_penstock(folder, "tick"))


@group.command()
@listing
@all_option
@click.option("--why", default="", metavar="TEXT", help="The reason, for the record.")
@submit_option
def mark(
    experiments: Sequence[str], process: str | None, folder: Path, every: bool, why: str, submit: bool
) -> None:
    """Count new runs as processed (10, 20).

    Of controlled experiments (10) or of --all (20). With the name of an EXPERIMENT, only of that one.
    """
    from penstock.workflows.detector.exchange import MARKED
    from penstock.workflows.detector.runs import SEEN

    reason = f"{MARKED}: {why}" if why else MARKED
    with opened(folder, look=submit) as found:
        _, runs = chosen(found, process, experiments)
        wanted = [run for run in runs if run.new and (every or run.state != SEEN)]
        act(found, "mark", wanted, stage=process, why=reason, submit=submit)


@group.command()
@listing
@json_option
def missing(experiments: Sequence[str], process: str | None, folder: Path, as_json: bool) -> None:
    """List the runs that are gone from disk (4).

    The record has them, the disk has them no more.

    With the name of an EXPERIMENT, only of that one.
    """
    from penstock.workflows.detector.exchange import kept_in, lost_lines

    with opened(folder) as found:
        name, runs = chosen(found, process, experiments)
        lost = lost_lines(kept_in(found.root, name), runs)
    gone = [run for run in runs if run.gone and not run.archived]
    print_runs(gone, as_json=as_json)
    if not as_json:
        for (instrument, experiment), numbers in lost.items():
            click.echo("\n".join(f"{instrument}/{experiment}/{number:04d}  old" for number in numbers))
    say(f"{of_experiments(gone)} gone; {sum(map(len, lost.values())):,} of the old record")


@group.command()
@listing
@click.option("--why", default="removed from disk", show_default=True, help="The reason, for the record.")
@submit_option
def archive(experiments: Sequence[str], process: str | None, folder: Path, why: str, submit: bool) -> None:
    """Archive the runs that are gone (40).

    Nobody misses them then, and what was made of them counts.

    With the name of an EXPERIMENT, only of that one.
    """
    from penstock.workflows.detector.exchange import archive_lines, kept_in, lost_lines
    from penstock.workflows.detector.runs import counted

    with opened(folder, look=submit) as found:
        name, runs = chosen(found, process, experiments)
        kept = kept_in(found.root, name)
        lost = lost_lines(kept, runs)
        act(found, "archive", [run for run in runs if run.gone and not run.archived], why=why, submit=submit)
    if lost:
        number = archive_lines(kept, lost) if submit else sum(map(len, lost.values()))
        say(f"{'archived' if submit else 'would archive'} {counted(number, 'line')} of the old record")


def ask(found: Record, action: str, units: Sequence[str], *, why: str, stage: str | None = None) -> None:
    """Ask for something about runs, if there are any, and say what was answered."""
    from penstock.workflows.detector.runs import counted

    left_out = action == "mark"  # runs of experiments that are not controlled, too
    answers = {*(found.ask(action, units, stage=stage, why=why, left_out=left_out) if units else ())}
    if answers:
        say(f"{action} {counted(len(units), 'run')}: {'; '.join(sorted(answers))}")


def act(
    found: Record, action: str, runs: Sequence[Run], *, why: str, submit: bool, stage: str | None = None
) -> None:
    """Ask for something about runs, or say about which it would be."""
    if not submit:
        print_runs(runs, as_json=False)
        say(f"would {action} {of_experiments(runs)}; --submit does it")
    elif runs:
        ask(found, action, [run.unit for run in runs], stage=stage, why=why)
    else:
        say(f"nothing to {action}")


@group.command("import")
@click.argument(
    "old", metavar="[FOLDER]", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@process_option
@folder_option
@submit_option
def import_old(old: Path | None, process: str | None, folder: Path, submit: bool) -> None:
    """Take over the old text files.

    They are FOLDER/PROCESS/INSTRUMENT/EXPERIMENT-proc-runs.txt and others. The files are kept in DIR/old as
    they are, and runs with a line count as done. Without FOLDER, those in DIR/old.
    """
    from penstock.workflows.detector.exchange import IMPORTED, keep_files, kept_in, plan_import
    from penstock.workflows.detector.oldrecord import find_old, odd_lines, root_of

    with opened(folder, look=submit) as found:
        name, runs = chosen(found, process, ())
        kept = kept_in(found.root, name)
        source = root_of(old, name) if old else kept
        plan = plan_import(source, runs)
        for line in odd_lines(find_old(source)):
            say(f"warning: {line}")
        click.echo(str(plan))
        if not submit:
            say("nothing was changed; --submit does it")
            return
        keep_files(source, kept)
        ask(found, "mark", plan.to_mark, why=IMPORTED)


@group.command()
@click.argument("target", metavar="FOLDER", type=click.Path(file_okay=False, path_type=Path))
@process_option
@folder_option
@click.option("--logs", is_flag=True, help="Also what each run printed, as log-EXPERIMENT-r0059-TIME.txt.")
def export(target: Path, process: str | None, folder: Path, logs: bool) -> None:
    """Write the record as the old text files.

    That is FOLDER/PROCESS/INSTRUMENT/EXPERIMENT-proc-runs.txt, as the old scripts keep it. Lines that were
    imported, or are there, stay as they are; each run that was processed since gets one.
    """
    from penstock.workflows.detector.exchange import export as write

    with opened(folder) as found:
        name, runs = chosen(found, process, ())
        click.echo(str(write(found, name, runs, target, logs=logs)))


for command in COMMANDS:
    group.add_command(command)

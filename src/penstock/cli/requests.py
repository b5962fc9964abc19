"""Commands that leave a request for the conductor: how it is made, and what is answered."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from penstock.cli.complete import complete_unit
from penstock.cli.options import load_campaign, open_record, print_json
from penstock.display import visible
from penstock.errors import NothingYet
from penstock.record.asking import Question, follow_up, request, targets_of

SHOWN = 10
BEFOREHAND = ("veto", "mark", "archive")  # what may be decided before anything is run

F = TypeVar("F", bound=Callable[..., Any])


def units_argument(command: F) -> F:
    """Add UNIT...: the command gets `units`."""
    return click.argument("units", nargs=-1, required=True, metavar="UNIT...", shell_complete=complete_unit)(
        command
    )


def why_option(command: F) -> F:
    """Add --why, which must say something: the command gets `why`."""
    return click.option(
        "--why", required=True, metavar="TEXT", callback=_said, help="The reason, for the record."
    )(command)


def _said(ctx: click.Context, parameter: click.Parameter, text: str) -> str:
    if not text.strip():
        raise click.BadParameter("give the reason: others will ask", ctx, parameter)
    return text


def dry_run_option(command: F) -> F:
    """Add --dry-run: the command gets `dry_run`."""
    return click.option("--dry-run", "-n", is_flag=True, help="Show what would be done, and change nothing.")(
        command
    )


def begin(root: Path, question: Question) -> None:
    """Begin the record with a scan of the sources if there is none, for what is decided before anything is run."""
    if question.action not in BEFOREHAND:
        return
    try:
        with open_record(root):
            return
    except NothingYet:
        from penstock.conductor import Conductor

        with Conductor(load_campaign(root, ()), command="look") as conductor:
            conductor.discover()


def ask_together(root: Path, question: Question, *, dry_run: bool, as_json: bool) -> None:
    """Make one request for all its units, or only find out what it would come to, and print that."""
    from penstock.record.rehearsing import rehearse

    begin(root, question)
    with open_record(root) as ledger:
        [target] = targets_of(ledger, question)
    named = {"units": list(question.units), "stage": question.stage, "why": question.why}
    asked = {name: value for name, value in named.items() if value}
    done = rehearse(root, question.action, target) if dry_run else None
    answer = done.answer if done else request(root, question.action, target)
    tasks = done.tasks if done else ()
    if as_json:
        about = [{"stage": stage, "unit": unit} for stage, unit in tasks]
        print_json({"asked": asked, "answer": answer, **({"tasks": about} if dry_run else {})})
        return
    click.echo(visible(f"would be: {answer}" if dry_run else answer))
    for stage, unit in tasks[:SHOWN]:
        click.echo(visible(f"  {stage} {unit}" if stage else f"  {unit}"))
    if len(tasks) > SHOWN:
        click.echo(f"  … and {len(tasks) - SHOWN} more")


def ask_all(root: Path, question: Question) -> None:
    """Make the requests and print the first answers."""
    begin(root, question)
    with open_record(root) as ledger:
        targets = targets_of(ledger, question)
    answers = [request(root, question.action, target) for target in targets]
    for answer in answers[:SHOWN]:
        click.echo(visible(answer))
    if len(answers) > SHOWN:
        click.echo(f"… and {len(answers) - SHOWN} more")
    for line in follow_up(root, question.action):
        click.echo(visible(line))

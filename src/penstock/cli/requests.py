"""Commands that leave a request for the conductor: how it is made, and what is answered."""

from __future__ import annotations

from pathlib import Path

import click

from penstock.cli.options import open_record
from penstock.display import visible
from penstock.record.asking import Question, follow_up, request, targets_of

SHOWN = 10


def ask_all(root: Path, question: Question) -> None:
    """Make the requests and print the first answers."""
    with open_record(root) as ledger:
        targets = targets_of(ledger, question)
    answers = [request(root, question.action, target) for target in targets]
    for answer in answers[:SHOWN]:
        click.echo(visible(answer))
    if len(answers) > SHOWN:
        click.echo(f"… and {len(answers) - SHOWN} more")
    for line in follow_up(root, question.action):
        click.echo(visible(line))

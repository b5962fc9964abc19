"""The root command: finds the others by name, and turns errors into one line and an exit code."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

import click

from penstock import __version__
from penstock.cli.workflows import load_workflow, workflows
from penstock.display import show_refusal, visible
from penstock.errors import PenstockError

# Command → its line in `penstock --help`, in the order of a campaign's life. Its module has the same name.
COMMANDS = {
    "init": "Start a campaign: write a commented definition.",
    "check": "Check the definition without running anything.",
    "graph": "Draw the stages of the definition, and which waits for which.",
    "plan": "Show what `run` would do, and why; nothing is written.",
    "simulate": "Predict when `run` would be done, on a pretended cluster.",
    "run": "Work until nothing can change without a new file or a person.",
    "tick": "Do one turn of work, then exit (for cron).",
    "watch": "Keep working as new data arrive, until stopped.",
    "up": "Start `watch` in the background.",
    "down": "Stop the conductor that works on the campaign.",
    "status": "Show where the campaign stands.",
    "why": "Explain the state of a unit's tasks, and what would change it.",
    "history": "Tell what happened to a unit, by whom and why.",
    "provenance": "Tell where files come from, and write provenance documents.",
    "log": "Print a task's output.",
    "units": "List tasks by state, stage or name.",
    "jobs": "List the jobs.",
    "retry": "Retry failed tasks.",
    "redo": "Redo finished tasks.",
    "fetch": "Bring products home that are still at the site where they were made.",
    "cancel": "Cancel queued and running tasks.",
    "veto": "Keep units from being processed, and record why.",
    "unveto": "Lift vetoes, so that each UNIT is processed again.",
    "mark": "Count tasks as done that somebody else did.",
    "unmark": "Take back a mark.",
    "archive": "Put units away whose data leave the disk on purpose.",
    "unarchive": "Bring archived units back.",
    "close": "Close a group now, or check a closed one.",
    "reopen": "Open a closed group.",
    "publish": "Put what is done now where others see it.",
    "metrics": "Print numbers for Prometheus.",
    "serve": "Show campaigns in a browser.",
    "report": "Show what the stages used, and suggest what to request.",
    "site": "Show and test the sites where jobs run.",
    "ledger": "Check, back up, prune and rebuild the record.",
    "demo": "Run a small campaign of a workflow, to see how it goes.",
}

# What one wants to do → the commands for it.
GROUPS = {
    "Define a campaign": ("init", "check", "graph", "plan", "simulate", "demo"),
    "Work on it": ("run", "tick", "watch", "up", "down"),
    "Follow it": (
        "status",
        "why",
        "history",
        "provenance",
        "log",
        "units",
        "jobs",
        "report",
        "serve",
        "metrics",
        "fetch",
    ),
    "Decide": ("retry", "redo", "cancel", "veto", "unveto", "mark", "unmark", "archive", "unarchive"),
    "Close groups": ("close", "reopen", "publish"),
    "Sites and the record": ("site", "ledger"),
}

NUMBER = re.compile(r"-[0-9]").match

HELP = """Process a laboratory's data on this machine or a cluster; nothing is lost, nothing runs twice.

\b
  penstock init mydata       write mydata/penstock.toml, then edit it
  penstock check             is the definition valid?
  penstock plan              what would be done, and why
  penstock run               do it; after any interruption, the same command continues

Exit codes: 0 all well, 1 something failed or a source has problems, 2 wrong use or definition, 3 the site cannot be
reached, 4 another conductor holds the campaign.

\b
Completion, for bash (zsh and fish likewise):
  eval "$(_PENSTOCK_COMPLETE=bash_source penstock)"
"""


class Root(click.Group):
    """Commands by name: our own from their modules, workflows from the plug-ins that are installed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*dict.fromkeys((*COMMANDS, *workflows()))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in COMMANDS:
            return getattr(import_module(f"penstock.cli.{cmd_name}"), cmd_name)
        return load_workflow(cmd_name).group if cmd_name in workflows() else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            ctx.fail(f"no command is called {args[0]!r}: {self.hint(ctx, args[0])}")
        name, command, rest = super().resolve_command(ctx, args)
        return name, command, numbers_last(command, rest) if command else rest

    def hint(self, ctx: click.Context, name: str) -> str:
        from difflib import get_close_matches

        near = get_close_matches(name, self.list_commands(ctx), 1)
        return f"did you mean {near[0]}?" if near else "`penstock --help` lists them"

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for heading, names in GROUPS.items():
            with formatter.section(heading):
                formatter.write_dl([(name, COMMANDS[name]) for name in names])
        if names := workflows():
            with formatter.section("Workflows"):
                formatter.write_dl([(name, f"How to start: penstock init {name} --help") for name in names])

    def invoke(self, ctx: click.Context) -> Any:
        if os.environ.get("PENSTOCK_DEBUG"):
            return super().invoke(ctx)
        try:
            return super().invoke(ctx)
        except PenstockError as error:
            tell(ctx, str(error), error.exit_code)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except OSError as error:
            tell(ctx, f"{show_refusal(error)}; put that right, and give the same command again", 1)
        except Exception as error:
            if type(error).__module__ == "sqlite3":
                tell_of_record(ctx, error)
            hint = "this is a fault of penstock, PENSTOCK_DEBUG=1 shows where"
            tell(ctx, f"{type(error).__name__}: {error} ({hint})", 1)


def tell_of_record(ctx: click.Context, error: Exception) -> None:
    """Describe in one sentence what SQLite found wrong with the record, if it did."""
    from penstock.errors import LedgerError
    from penstock.ledger.files import explained

    try:
        with explained():
            raise error
    except LedgerError as told:
        tell(ctx, str(told), told.exit_code)


def numbers_last(command: click.Command, words: Sequence[str]) -> list[str]:
    """Put words such as `-5` behind a `--`: they name units, since no option is called by a number.

    >>> numbers_last(cli.get_command(click.Context(cli), "why"), ["-5", "--stage", "a"])
    ['--stage', 'a', '--', '-5']
    """
    if isinstance(command, click.Group):
        return list(words)  # its commands know their own options
    options = [p for p in command.params if isinstance(p, click.Option) and not p.is_flag]
    valued = {name: option.nargs for option in options for name in option.opts}
    rest, units, words = list[str](), list[str](), list(words)
    while words and words[0] != "--":
        word = words.pop(0)
        if word in valued:
            rest += [word, *words[: valued[word]]]
            words = words[valued[word] :]
        else:
            (units if NUMBER(word) else rest).append(word)
    return [*rest, "--", *units, *words[1:]] if units else [*rest, *words]


def tell(ctx: click.Context, message: str, code: int) -> NoReturn:
    """Print one line on stderr and exit with `code`."""
    click.echo(f"penstock: {visible(message)}", err=True)
    ctx.exit(code)


SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.command(cls=Root, help=HELP, context_settings=SETTINGS)
@click.version_option(__version__, message="penstock %(version)s")
@click.option("-C", "--campaign", metavar="DIR", hidden=True)
@click.pass_context
def cli(ctx: click.Context, campaign: str | None) -> None:
    """Start here."""
    ctx.obj = campaign

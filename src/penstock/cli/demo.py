"""`penstock demo`."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

import click

from penstock.cli.workflows import load_workflow, workflows
from penstock.display import visible
from penstock.errors import DefinitionError


class Demo(click.Group):
    """A command for each workflow, which is its own."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return workflows()

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return load_workflow(cmd_name).demo if cmd_name in workflows() else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in workflows() and not args[0].startswith("-"):
            known = workflows() or ["WORKFLOW"]
            remedy = f"`penstock demo {known[0]} {shlex.quote(args[0])}` takes a folder of that name"
            raise DefinitionError(
                f"no workflow is called {args[0]!r} (installed: {', '.join(workflows()) or 'none'}): {remedy}"
            )
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Workflows"):
            formatter.write_dl(list(summaries()))


@click.command(
    cls=Demo,
    invoke_without_command=True,
    subcommand_metavar="[WORKFLOW] [DIR] [OPTIONS]",
    epilog="""\b
Examples:
  penstock demo
  penstock demo acoustics
  penstock demo acoustics mydemo --scheduler slurm   # on the cluster where you are logged in""",
)
@click.pass_context
def demo(ctx: click.Context) -> None:
    """Run a small campaign of a workflow, to see how it goes; without a name, list the workflows.

    It is made in DIR [demo-WORKFLOW], run, and left there to be looked at. Without options a workflow makes data
    of its own.
    """
    if ctx.invoked_subcommand is None:
        for name, summary in summaries():
            click.echo(visible(f"penstock demo {name}: {summary}"))
        if not workflows():
            click.echo("no workflow is installed")


def summaries() -> Iterator[tuple[str, str]]:
    """Yield each workflow with what its demonstration shows, in a line."""
    for name in workflows():
        yield name, load_workflow(name).demo.get_short_help_str(limit=100)

"""`penstock init`: a campaign from a template, or from a workflow."""

from __future__ import annotations

import re
import shlex
from importlib.resources import files
from pathlib import Path

import click

from penstock.cli.workflows import load_workflow, workflows
from penstock.config.editors import begin_definition
from penstock.display import visible
from penstock.errors import DefinitionError

# Template → the files that it writes, and from what.
TEMPLATES = {
    "files": {"penstock.toml": "files.toml"},
    "table": {"penstock.toml": "table.toml"},
    "python": {"penstock.toml": "python.toml", "steps.py": "python.py.txt"},
}


class Init(click.Group):
    """`init WORKFLOW …` goes to the workflow's own command, anything else to the plain one."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not (args and (args[0] in workflows() or args[0] in ("-h", "--help"))):
            args = ["plain", *args]
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*workflows()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return plain if cmd_name == "plain" else load_workflow(cmd_name).init

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return ["[WORKFLOW] [DIR] [OPTIONS]"]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        plain.format_options(ctx, formatter)
        with formatter.section("Workflows"):
            formatter.write_dl([(name, f"penstock init {name} --help") for name in workflows()])


@click.command(
    cls=Init,
    epilog="""\b
Examples:
  penstock init winter
  penstock init survey --template table
  penstock init acoustics winter --audio "recordings/*.wav" """,
)
def init() -> None:
    """Start a campaign: write a commented definition.

    With the name of a workflow first, that workflow writes its own; it has its own options.
    """


@click.command()
@click.argument("folder", required=False, metavar="[DIR]", default=".", type=click.Path(path_type=Path))
@click.option(
    "-t",
    "--template",
    type=click.Choice(list(TEMPLATES)),
    default="files",
    show_default=True,
    help="What the units are: files, rows of a table, or files with a Python function.",
)
def plain(folder: Path, template: str) -> None:
    """Write a commented definition in DIR [default: here]."""
    for name in TEMPLATES[template]:
        if (folder / name).exists():
            raise DefinitionError(f"{folder / name} already exists: edit it, or name another folder")
    folder.mkdir(parents=True, exist_ok=True)
    campaign = re.sub(r"[^A-Za-z0-9._-]+", "-", folder.resolve().name).strip("-._") or "campaign"
    for name, source in TEMPLATES[template].items():
        text = files("penstock.cli").joinpath("templates", source).read_text("utf-8")
        first = begin_definition(folder) if name == "penstock.toml" else ""
        (folder / name).write_text(first + text.replace("@NAME@", campaign), "utf-8")
    where = "" if folder == Path() else f"cd {shlex.quote(str(folder))} && "
    click.echo(visible(f"wrote {folder / 'penstock.toml'}: edit it, then: {where}penstock check"))

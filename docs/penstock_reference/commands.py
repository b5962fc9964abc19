"""Every command with its options, from the click tree itself."""

import inspect
from collections.abc import Iterator, Mapping

import click

from penstock.cli.init import Init, plain
from penstock.cli.provenance import Provenance, document
from penstock.cli.root import SETTINGS, cli
from penstock_reference.markdown import code, fence, join, sentence, table

INTRODUCTION = """# Commands

`penstock --help` and `penstock COMMAND --help` say the same in a terminal. `-C DIR` may stand before the command, too.
What a command ends with is in [exit codes](errors.md#exit-codes)."""

#: group → the command that it is without one of its own
PLAIN: Mapping[type[click.Command], click.Command] = {Init: plain, Provenance: document}


def every_command() -> Iterator[tuple[str, click.Command, click.Context]]:
    """Yield each command as people type it, groups before what is in them."""
    yield from _walk(cli, click.Context(cli, info_name="penstock", **SETTINGS))


def _walk(
    command: click.Command, context: click.Context
) -> Iterator[tuple[str, click.Command, click.Context]]:
    yield context.command_path, command, context
    if not isinstance(command, click.Group):
        return
    for name in command.list_commands(context):
        child = command.get_command(context, name)
        if child is not None and not child.hidden:
            yield from _walk(child, click.Context(child, info_name=name, parent=context))


def visible_parameters(command: click.Command, context: click.Context) -> list[click.Parameter]:
    """Return what may be typed after a command; of `init`, what its plain form takes."""
    shown = spoken_for(command).get_params(context)
    return [p for p in shown if isinstance(p, click.Argument) or not getattr(p, "hidden", False)]


def spoken_for(command: click.Command) -> click.Command:
    """Return the command whose words hold: a group's plain form, which takes anything but the name of a command."""
    return PLAIN.get(type(command), command)


def render_page() -> str:
    """Render the page."""
    first, *rest = every_command()
    return join(INTRODUCTION, _describe(*first, level=2), *(_describe(*found, level=2) for found in rest))


def _describe(path: str, command: click.Command, context: click.Context, *, level: int) -> str:
    usage = " ".join([path, *command.collect_usage_pieces(context)])
    rows = [row for parameter in visible_parameters(command, context) if (row := _row(parameter, context))]
    return join(
        f"{'#' * level} {path}",
        fence(usage),
        _paragraphs(command.help or ""),
        "" if spoken_for(command) is command else _paragraphs(spoken_for(command).help or ""),
        table(("option", "what it does"), rows) if rows else "",
        _paragraphs(command.epilog or ""),
    )


def _row(parameter: click.Parameter, context: click.Context) -> tuple[str, str] | None:
    record = parameter.get_help_record(context)
    if record is None or not record[1]:
        return None
    return code(record[0]), sentence(record[1])


def _paragraphs(text: str) -> str:
    """Turn click's marked-up text into Markdown: what stands after a `\\b` keeps its lines."""
    found: list[str] = []
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        if paragraph.startswith("\b"):
            found.append(_verbatim(paragraph[1:]))
        else:
            found.append(" ".join(paragraph.split()))
    return join(*found)


def _verbatim(text: str) -> str:
    head, *lines = [line.rstrip() for line in text.strip("\n").split("\n")]
    if head.endswith(":"):
        return join(head, fence(inspect.cleandoc("\n".join(lines)), "sh"))
    return fence(inspect.cleandoc("\n".join([head, *lines])), "text")

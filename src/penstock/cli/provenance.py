"""`penstock provenance`."""

from __future__ import annotations

from pathlib import Path

import click
from click.shell_completion import CompletionItem

from penstock.cli.complete import complete_stage, complete_unit
from penstock.cli.options import campaign_option, json_option, open_record, print_json
from penstock.display import visible
from penstock.errors import DefinitionError

FORMATS = (
    "prov-json",
    "prov-n",
    "svg",
    "ro-crate",
)  # those of penstock.provenance.folder, which takes time to import
SHOWN = 12


class Provenance(click.Group):
    """`of` and `uses` are about a file; anything else is a unit or group, which goes to the plain command."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        begun = bool(args) or not ctx.resilient_parsing  # else it is completed, to a command or to a unit
        if begun and not (args and args[0] in (*self.commands, "-h", "--help")):
            args = ["plain", *args]
        return super().parse_args(ctx, args)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return document if cmd_name == "plain" else super().get_command(ctx, cmd_name)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return ["UNIT | of FILE | uses FILE", "[OPTIONS]"]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        document.format_options(ctx, formatter)
        self.format_commands(ctx, formatter)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        units = complete_unit(ctx, click.Argument(["unit"]), incomplete)
        return [*super().shell_complete(ctx, incomplete), *units]


@click.group(
    cls=Provenance,
    epilog="""\b
Examples:
  penstock provenance of pictures/a.png              which attempt made it, and from what
  penstock provenance uses calib/1809.h5             what was made from it
  penstock provenance 2020-01-17/01807               a PROV-JSON document of a run
  penstock provenance 2020-01-17 --format svg > night.svg
  penstock provenance 2020-01-17 --format ro-crate --out crate --steps""",
)
def provenance() -> None:
    """Tell where files come from, and write provenance documents (W3C PROV, RO-Crate).

    UNIT is a name as `penstock units` prints it, a group, or `campaign`. The document has its tasks and all that they
    were made from, as the record has it: made again, it is the same byte for byte. It has one activity for all tasks
    of a stage below UNIT, one collection for their products, and every attempt of UNIT itself; with --steps it has
    every attempt and every file. Passwords and tokens are left out. A crate needs a `licence` in [provenance].
    """


@provenance.command(
    epilog="""\b
Examples:
  penstock provenance of pictures/a.png
  penstock provenance of /tmp/copy-of-a.png --json"""
)
@click.argument("file", metavar="FILE", type=click.Path())
@campaign_option
@json_option
def of(file: str, root: Path, as_json: bool) -> None:
    """Tell which attempt made FILE, by which definition, and from what.

    FILE is a product, a file in one that is a folder, an input, or a copy of a product under any name. Times are UTC.
    """
    from penstock.provenance.origin import find_origin

    with open_record(root) as ledger:
        origin = find_origin(ledger, file)
    if as_json:
        print_json(origin.to_json())
    else:
        click.echo(origin.to_text())


@provenance.command(
    epilog="""\b
Examples:
  penstock provenance uses calib/1809.h5
  penstock provenance uses config/cleaning.json --json"""
)
@click.argument("file", metavar="FILE", type=click.Path())
@campaign_option
@json_option
def uses(file: str, root: Path, as_json: bool) -> None:
    """Tell what was made from FILE, directly and through others.

    FILE is a product, an input, or a file that the definition depends on: code, a template, what a stage `needs`.
    """
    from penstock.provenance.descent import find_descent

    with open_record(root) as ledger:
        descent = find_descent(ledger, file)
    if as_json:
        print_json(descent.to_json())
    else:
        click.echo(descent.to_text())


@click.command(name="provenance")
@click.argument("unit", metavar="UNIT", shell_complete=complete_unit)
@click.option(
    "--format",
    "forms",
    type=click.Choice(FORMATS),
    multiple=True,
    help="What to write [prov-json]; with --out it may be repeated, and all but the crate is the default.",
)
@click.option(
    "--out",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Write files into DIR, with lists of members.",
)
@click.option("--steps", is_flag=True, help="Show every attempt and every file.")
@click.option(
    "--stage",
    "stages",
    metavar="STAGE",
    multiple=True,
    shell_complete=complete_stage,
    help="Only this stage's activities; may be repeated.",
)
@click.option("--without-products", is_flag=True, help="Describe products in a crate and copy none into it.")
@campaign_option
def document(
    unit: str,
    forms: tuple[str, ...],
    out: Path | None,
    steps: bool,
    stages: tuple[str, ...],
    without_products: bool,
    root: Path,
) -> None:
    """Write the provenance of UNIT: a unit, a group, or the campaign."""
    from penstock.explain import find_units
    from penstock.provenance import Wanted, trace
    from penstock.provenance.folder import write_folder, write_text

    chosen = [*forms] or [*(FORMATS[:-1] if out else FORMATS[:1])]
    if not out and (len(chosen) > 1 or "ro-crate" in chosen):
        raise DefinitionError("several documents, or a crate, are a folder: name it with --out DIR")
    with open_record(root) as ledger:
        found = find_units(ledger, unit)
        if len(found) > 1:
            raise DefinitionError(
                f"{unit!r} names {len(found)} units: name one, or the group that they are in"
            )
        made = trace(ledger, found[0], Wanted(steps, stages))
        if out is None:
            click.echo(write_text(made, chosen[0]), nl=False)
            return
        names = write_folder(ledger, made, out, forms=chosen, steps=steps, with_products=not without_products)
    click.echo(f"{visible(str(out))}: {', '.join(names[:SHOWN])}" + (" …" if len(names) > SHOWN else ""))

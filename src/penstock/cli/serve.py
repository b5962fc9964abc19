"""`penstock serve`."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import click

from penstock.cli.options import resolve_root
from penstock.display import count

ALLOWED = ("retry", "veto", "cancel", "close")
FOLDER = click.Path(path_type=Path, file_okay=False)
FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command(
    epilog="""\b
Examples:
  penstock serve                                # on this machine: open the address that it prints
  penstock serve winter summer --allow retry,veto
  penstock serve --export /var/www/winter       # static pages, no server
  penstock serve --behind-proxy https://lab.example.org --port 8765"""
)
@click.argument(
    "folders", nargs=-1, metavar="[DIR...]", type=click.Path(path_type=Path, exists=True, file_okay=False)
)
@click.option(
    "--export",
    type=FOLDER,
    metavar="FOLDER",
    help="Write static pages into FOLDER instead, each whole or not at all.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    metavar="N",
    help="Listen at this port [default: a free one].",
)
@click.option(
    "--bind",
    default="127.0.0.1",
    show_default=True,
    metavar="HOST",
    help="Listen at another address; needs TLS or a proxy.",
)
@click.option("--tls-cert", type=FILE, metavar="FILE", help="The certificate, with those above it, in PEM.")
@click.option("--tls-key", type=FILE, metavar="FILE", help="Its key, in PEM.")
@click.option(
    "--behind-proxy",
    metavar="ORIGIN",
    help="Where people see it behind a proxy, such as https://lab.example.org/penstock.",
)
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Keep the token in FILE, made if it is not there: it stays when the server starts again.",
)
@click.option(
    "--allow", default="", metavar="ACTION,...", help="Let people ask for these: retry, veto, cancel, close."
)
@click.option(
    "-C", "--campaign", metavar="DIR", help="The campaign's folder [default: here, or the nearest one above]."
)
@click.pass_context
def serve(
    ctx: click.Context,
    folders: tuple[Path, ...],
    export: Path | None,
    port: int,
    bind: str,
    tls_cert: Path | None,
    tls_key: Path | None,
    behind_proxy: str | None,
    token_file: Path | None,
    allow: str,
    campaign: str | None,
) -> None:
    """Show campaigns in a browser.

    DIR is a campaign's folder; without one it is the campaign here. The pages have the numbers of `status`, `why`, `jobs`,
    `history` and `report`, and follow what happens. They read the record, or its published copy where it is on another
    host. Whoever has the address with its token may look; what --allow names may be asked for, by name.
    """
    from penstock.serve.campaigns import shown_in

    shown = shown_in(folders or [resolve_root(ctx, ctx.command.params[-1], campaign)])
    if export:
        from penstock.serve.export import export as write

        files, broken = write(shown, export)
        click.echo(f"{count(files, 'file')} in {export}: open {export / 'index.html'}")
        for one in broken:
            click.echo(f"penstock: {one.name}: {one.why}; its pages are as they were", err=True)
        ctx.exit(1 if broken else 0)
    from penstock.serve.running import Listening, run

    allowed = actions_in(allow)
    with suppress(KeyboardInterrupt):
        run(
            shown,
            Listening(bind, port, tls_cert, tls_key, behind_proxy, token_file),
            allowed,
            tell=lambda url: click.echo(f"open {url}"),
        )


def actions_in(text: str) -> list[str]:
    """Return the actions that a list of them names."""
    actions = text.replace(",", " ").split()
    if unknown := [action for action in actions if action not in ALLOWED]:
        raise click.BadParameter(
            f"{unknown[0]!r} cannot be allowed: choose of {', '.join(ALLOWED)}", param_hint="--allow"
        )
    return actions

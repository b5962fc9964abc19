"""What a person does with sweeps at a terminal: a menu over the commands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from penstock.errors import PenstockError
from penstock.workflows.sweep import commands, filing
from penstock.workflows.sweep.campaign import lay_out
from penstock.workflows.sweep.dialogue import write_sweep
from penstock.workflows.sweep.listing import find_sweeps, list_sweeps, sweep_lines
from penstock.workflows.sweep.points import say_changes
from penstock.workflows.sweep.prompt import Left, ask, choose, confirm, one_of
from penstock.workflows.sweep.submitting import IN_BACKGROUND, begin_unless_there, run_penstock, submit

NEW, LEAVE = "n", "q"


def open_menu(folder: Path) -> None:
    """Show the sweeps of a folder, and do what a person chooses, until they leave."""
    while True:
        sweeps = list_sweeps(folder)
        click.echo("\nSweeps" if sweeps else "There is no sweep here yet.")
        lines = sweep_lines(sweeps)
        if sweeps:
            click.echo(f"    {lines[0]}")
        for number, line in enumerate(lines[1:], 1):
            click.echo(f"{number:>3} {line}")
        click.echo(f"  {NEW} write a new one\n  {LEAVE} leave")
        places = {path.resolve().name: path for path in find_sweeps(folder)}
        chosen = [places[each.sweep] for each in sweeps]
        try:
            known = [*map(str, range(1, len(chosen) + 1)), NEW, LEAVE]
            answer = ask("\nA number or a letter", lambda text, known=known: one_of(text, known))
        except Left:
            return
        if answer == LEAVE:
            return
        if answer == NEW:
            attempt(lambda: make_sweep(None))
        else:
            choose_action(chosen[int(answer) - 1])


def choose_action(folder: Path) -> None:
    """Do what a person wants of a sweep, until they go back."""
    while (folder / "sweep.toml").exists():
        click.echo(f"\nThe sweep in {folder}")
        try:
            key = choose("What", {key: told for key, (told, _) in ACTIONS.items()} | {LEAVE: "back"})
        except Left:
            return
        if key == LEAVE:
            return
        attempt(lambda key=key: ACTIONS[key][1](folder))


def attempt(action: Callable[[], object]) -> None:
    """Do something; what goes wrong is told, and the menu goes on."""
    try:
        action()
    except PenstockError as error:
        click.echo(f"penstock: {error}")
    except (Left, click.Abort):
        click.echo("nothing done")
    except click.exceptions.Exit:
        pass


def invoking(command: click.Command, **options: object) -> Callable[[Path], object]:
    """Return what runs a command for a sweep, with its defaults otherwise."""

    def run(folder: Path) -> object:
        with click.Context(command, info_name=command.name) as context:
            return context.invoke(command, folder=folder, **options)

    return run


def make_sweep(folder: Path | None) -> None:
    """Let a person write a sweep, lay it out, and run it, as far as they want to. Raises DefinitionError."""
    try:
        where = folder or ask("Folder of the sweep", read_folder)
        if write_sweep(where):
            offer_run(where)
    except Left:
        return


def read_folder(text: str) -> Path:
    """Read the name of a folder. Raises ValueError."""
    if not text or Path(text).is_file():
        raise ValueError(f"{text} is a file; name a folder" if text else "name a folder")
    return Path(text)


def offer_run(folder: Path) -> None:
    """Offer to write the inputs of a sweep, and then to run it. Raises Left, DefinitionError."""
    if not confirm("Write the inputs of its points"):
        return
    begin_unless_there(folder)
    click.echo(say_changes(lay_out(folder).changes))
    if confirm("Run them now, in the background", default=False):
        submit(folder)
        run_penstock(folder, IN_BACKGROUND)


def ask_retry(folder: Path) -> None:
    """Ask which points to run again."""
    where = ask("Only where (such as T < 1); nothing for all that failed", str)
    invoking(commands.retry, condition=where or None, missing=False)(folder)


def ask_list(folder: Path) -> None:
    """Ask which points to list."""
    where = ask("Only where (such as T < 1); nothing for all", str)
    invoking(
        commands.list_points, condition=where or None, states=(), dropped=False, limit=40, as_json=False
    )(folder)


def ask_analysis(folder: Path) -> None:
    """Ask by what to tell averages apart."""
    by = ask("By which variables, with commas; nothing for all but the seed", str)
    names = tuple(name.strip() for name in by.split(",") if name.strip())
    invoking(commands.analyse, by=names, only=(), where=None, output=None, parquet=False)(folder)


def ask_copy(folder: Path) -> None:
    """Ask for the folder of a copy."""
    invoking(filing.copy, copied=ask("Folder of the copy", read_folder))(folder)


ACTIONS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "l": ("list its points", ask_list),
    "e": ("change or extend it", make_sweep),
    "s": ("submit it, to run in the background", invoking(commands.submit, site=None, wait=False)),
    "r": ("receive: what has come, and how far it is", invoking(commands.receive)),
    "a": ("analyse: averages, pictures, tables", ask_analysis),
    "t": ("retry what failed", ask_retry),
    "c": ("copy it, to run it afresh", ask_copy),
    "d": ("delete it", invoking(filing.delete, yes=False)),
}

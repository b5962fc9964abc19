"""`penstock telescope …`: the plan of a night, where it stands, its end, and the files of the old tools."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from penstock.errors import DefinitionError
from penstock.workflows.setup.campaign import campaign_option, run_penstock, say
from penstock.workflows.setup.options import json_option

if TYPE_CHECKING:
    from penstock.record import Record
    from penstock.workflows.telescope.planning import Planned
    from penstock.workflows.telescope.settings import Settings

OVER = time(8)  # of the next day, UTC: before that a night may still bring data

folder_option = campaign_option("telescope")
night_argument = click.argument("night", metavar="[NIGHT]", required=False)
submit_option = click.option(
    "--submit", "-s", is_flag=True, help="Do it; without, only say what would be done."
)


@click.group("telescope")
def group() -> None:
    """Nights of a telescope: their plans, where they stand, their end."""


@group.command()
@night_argument
@folder_option
@json_option
def plan(night: str | None, folder: Path, as_json: bool) -> None:
    """Show the sequences of a night, and what each is processed with.

    Neither a record nor a scheduler is needed. Nothing is written, and no missing table is made.

    NIGHT is a date such as 2020-01-17 [the last one].
    """
    settings = settings_in(folder)
    planned = planned_for(settings, folder, night)
    if not planned.plan:
        raise DefinitionError(planned.why)
    if as_json:
        click.echo(json.dumps(plan_to_json(planned)))
        return
    for each in planned.plan.sequences:
        parent = "none" if each.parent is None else each.parent
        drs4 = f", with {each.fields['drs4_run']}" if not each.is_data else ""
        named = f", {each.source}" if each.source else ""
        chosen = [f"{kind} {each.fields[kind]}" for kind in ("cleaning", "model") if each.fields.get(kind)]
        what = f"{each.run.number} {each.run.type}{drs4}, {each.run.subruns} subruns{named}"
        click.echo("; ".join([f"{each.number} (parent {parent}): {what}", *chosen]))
    for note in planned.plan.notes:
        say(note)
    for problem in planned.plan.problems:
        say(f"warning: {problem}")


def plan_to_json(planned: Planned) -> dict[str, Any]:
    """Give a plan as plain values."""
    made = planned.plan
    assert made
    sequences = [
        {
            "seq": each.number,
            "parent": each.parent,
            "run": each.run.number,
            "type": each.run.type,
            "subruns": each.run.subruns,
            "source": each.source or None,
            **each.fields,
        }
        for each in made.sequences
    ]
    return {
        "night": made.night.isoformat(),
        "sequences": sequences,
        "notes": [*made.notes],
        "problems": [*made.problems],
    }


@group.command()
@night_argument
@folder_option
@click.option("--also", multiple=True, metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path),
              help="Another telescope's campaign, too; several are possible.")  # fmt: skip
@click.option(
    "--page", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Also write an HTML page."
)
@json_option
def status(night: str | None, folder: Path, also: Sequence[Path], page: Path | None, as_json: bool) -> None:
    """Show where each sequence of a night stands.

    Percentages count what was made and checked, of all subruns; Done and Expected count tasks. JobID, Exit are of the
    last attempt.

    NIGHT is a date such as 2020-01-17 [the last one].
    """
    from penstock.workflows.telescope.status import lines_of, write_status

    shown = [_read_status(each, night) for each in (folder, *also)]
    if page:
        write_status(page, [(f"{day}, {name}", rows) for name, day, rows in shown], shown[0][0])
    if as_json:
        told = [{"telescope": name, "night": day, "sequences": rows} for name, day, rows in shown]
        click.echo(json.dumps(told if also else told[0]))
        return
    for name, day, rows in shown:
        say(f"{name}, night {day}: {len(rows)} sequences")
        if rows:
            click.echo("\n".join(lines_of(rows)))


def _read_status(folder: Path, night: str | None) -> tuple[str, str, list[dict[str, Any]]]:
    from penstock.workflows.telescope.status import rows_of_night

    settings = settings_in(folder)
    planned = planned_for(settings, folder, night)
    if not planned.plan:
        raise DefinitionError(planned.why)
    with record_of(folder) as record:
        return (
            settings.telescope,
            planned.night.isoformat(),
            rows_of_night(record, settings.telescope, planned),
        )


@group.command()
@night_argument
@folder_option
@click.option("--seq", type=int, metavar="RUN", help="Only this run.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask first.")
@click.option("--why", metavar="TEXT", help="The reason, for the record.")
@click.pass_context
def close(
    ctx: click.Context, night: str | None, folder: Path, seq: int | None, yes: bool, why: str | None
) -> None:
    """Close a night now, or one run of it; not before 08:00 UTC of the next day.

    A night that is whole closes by itself. `penstock reopen NIGHT` opens it again.

    NIGHT is a date such as 2020-01-17 [the last one].
    """
    day = planned_for(settings_in(folder), folder, night).night
    refuse_early(day, datetime.now(UTC))
    unit = day.isoformat() if seq is None else f"{day.isoformat()}/{seq}"
    words = [*(["--yes"] if yes else []), *(["--why", why] if why else [])]
    ctx.exit(run_penstock(folder, "close", unit, *words))


def refuse_early(day: date, now: datetime) -> None:
    """Raise DefinitionError while a night may still bring data."""
    over = datetime.combine(day + timedelta(days=1), OVER, UTC)
    if now < over:
        raise DefinitionError(
            f"the night {day} may still bring data: it can be closed from {over:%Y-%m-%d %H:%M} UTC on"
        )


@group.command()
@click.argument("model", metavar="[MODEL]", required=False)
@folder_option
@click.option(
    "--events", type=click.IntRange(100), default=3000, show_default=True, help="So many gammas, and protons."
)
@click.option("--seed", type=int, default=1, show_default=True, help="The same one gives the same forests.")
def train(model: str | None, folder: Path, events: int, seed: int) -> None:
    """Train the forests of the toy profile on made-up events.

    They are written where the rule [[model]] of the name MODEL says [the first rule].
    """
    from penstock.workflows.telescope.training import place_of, train_model

    place = place_of(settings_in(folder), folder, model)
    train_model(place, events=events, seed=seed)
    click.echo(f"wrote {place}")


@group.group("history")
def history() -> None:
    """The histories of sequences that lstosa keeps, taken over and written."""


@history.command("import")
@click.argument("old", metavar="FOLDER", type=click.Path(exists=True, file_okay=False, path_type=Path))
@night_argument
@folder_option
@submit_option
def import_old(old: Path, night: str | None, folder: Path, submit: bool) -> None:
    """Take over FOLDER/sequence_*.history, and vetoes.

    What succeeded last counts as done, where its products lie; from dl1ab on only if it is of the production that its
    run has now. A sequence_*.veto becomes a veto. The histories are kept in DIR/old.

    NIGHT is a date such as 2020-01-17 [the last one].
    """
    from penstock import record
    from penstock.workflows.telescope.exchange import IMPORTED, KEPT, keep_files, plan_import

    planned = planned_for(settings_in(folder), folder, night)
    if not planned.plan:
        raise DefinitionError(planned.why)
    found = plan_import(old, planned.plan)
    for odd in found.odd:
        say(f"warning: {odd}")
    click.echo(str(found))
    if not submit:
        say("nothing was changed; --submit does it")
        return
    keep_files(old, folder / KEPT / planned.night.isoformat())
    with record.look(folder) as opened:
        for stage, units in found.done.items():
            say(f"{stage}: {'; '.join(sorted({*opened.ask('mark', units, stage=stage, why=IMPORTED)}))}")
        if found.vetoed:
            say(
                "; ".join(sorted({*opened.ask("veto", found.vetoed, why="vetoed by a flag of the old tool")}))
            )


@history.command()
@click.argument("target", metavar="FOLDER", type=click.Path(file_okay=False, path_type=Path))
@night_argument
@folder_option
def export(target: Path, night: str | None, folder: Path) -> None:
    """Write FOLDER/sequence_*.history: a line for each program that ended.

    Lines that were imported come first, as they were.

    NIGHT is a date such as 2020-01-17 [the last one].
    """
    from penstock import record
    from penstock.workflows.telescope.exchange import KEPT
    from penstock.workflows.telescope.exchange import export as write

    settings = settings_in(folder)
    planned = planned_for(settings, folder, night)
    if not planned.plan:
        raise DefinitionError(planned.why)
    kept = folder / KEPT / planned.night.isoformat()
    with record.open(folder) as opened:
        click.echo(f"{write(opened, settings.telescope, planned.plan, target, kept):,} lines")


@group.command()
@click.argument("target", metavar="FOLDER", type=click.Path(file_okay=False, path_type=Path))
@night_argument
@folder_option
def flags(target: Path, night: str | None, folder: Path) -> None:
    """Write the flags of a night: FOLDER/sequence_*.veto, .closed, NightFinished.txt.

    They follow the record: those that hold no more are removed.

    NIGHT is a date such as 2020-01-17 [the last one].
    """
    from penstock import record
    from penstock.workflows.telescope.exchange import write_flags

    settings = settings_in(folder)
    planned = planned_for(settings, folder, night)
    if not planned.plan:
        raise DefinitionError(planned.why)
    with record.open(folder) as opened:
        for name in write_flags(opened, settings.telescope, planned.plan, target):
            click.echo(name)


def settings_in(folder: Path) -> Settings:
    """Read `telescope.toml`."""
    from penstock.workflows.telescope.settings import read_settings

    return read_settings(folder)


def planned_for(settings: Settings, folder: Path, night: str | None) -> Planned:
    """Plan the night that is meant: by its date, else the last one that there is. Raises DefinitionError."""
    from penstock.workflows.telescope.nights import list_nights, read_day, yesterday
    from penstock.workflows.telescope.planning import Planned, plan_from_disk

    now = datetime.now(UTC)
    day = read_day(night) if night else max(list_nights(settings, folder, now), default=yesterday(now))
    try:
        return Planned(day, plan_from_disk(settings, folder, day, make=False))
    except DefinitionError as error:
        return Planned(day, None, str(error))


def record_of(folder: Path) -> AbstractContextManager[Record | None]:
    """Open the record, if there is one yet."""
    from penstock import record
    from penstock.errors import NothingYet

    try:
        return record.open(folder)
    except NothingYet:
        return nullcontext()

"""`penstock ledger`."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import click

from penstock.cli.complete import complete_unit
from penstock.cli.options import campaign_option, json_option, open_record, print_json, stage_option
from penstock.cli.products import compare_products
from penstock.display import count, visible


@click.group(
    epilog="""\b
Example:
  penstock ledger check"""
)
def ledger() -> None:
    """Check, back up, prune and rebuild the record."""


@ledger.command(
    epilog="""\b
Examples:
  penstock ledger check
  penstock ledger check --products
  penstock ledger check --products 2020-01-17 --stage calibrate --json"""
)
@click.argument("unit", required=False, metavar="[UNIT]", shell_complete=complete_unit)
@click.option("--products", is_flag=True, help="Also read all products and compare them with the record.")
@click.option(
    "--archives", is_flag=True, help="Also make the record anew from the archives of jobs, and compare."
)
@stage_option
@campaign_option
@json_option
def check(
    unit: str | None, products: bool, archives: bool, stage: str | None, root: Path, as_json: bool
) -> None:
    """Check that the record is consistent: the file, the states, the counts.

    With --products, also check that each product (of a UNIT, a group, a stage) exists and has its recorded content. What
    is missing or differs becomes stale, and `penstock run --stale` redoes it. With --archives, also compare the record with
    one that is made from the jobs' archives: SQLite does not notice a changed byte within a value. The exit code is 1 if
    anything is wrong.
    """
    from penstock.ledger.check import check_ledger
    from penstock.ledger.stored import stored_graph

    if (unit or stage) and not products:
        raise click.UsageError("UNIT and --stage choose among products: add --products")
    with open_record(root) as record:
        wrong = check_ledger(record, stored_graph(record))
    if archives:
        from penstock.conductor.rebuilding import compare_with_archives
        from penstock.config import load

        wrong += compare_with_archives(load(root))
    compared = compare_products(root, unit, stage) if products else None
    if as_json:
        print_json({"wrong": wrong, **(compared.to_json() if compared else {})})
    else:
        lines = [*(wrong or ["the ledger is consistent"]), *(compared.to_lines() if compared else ())]
        for line in lines:
            click.echo(visible(line))
    sys.exit(1 if wrong or (compared and compared.found) else 0)


@ledger.command(
    epilog="""\b
Example:
  penstock ledger backup /backup/winter.sqlite"""
)
@campaign_option
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def backup(root: Path, file: Path) -> None:
    """Copy the record into FILE, also while penstock works on it.

    A plain copy of .penstock/ledger.sqlite lacks what is still in the `-wal` file beside it.
    """
    from penstock.ledger.backup import back_up

    click.echo(visible(f"backup: {back_up(root, file.absolute())}; `penstock ledger restore` restores it"))


@ledger.command(
    epilog="""\b
Example:
  penstock ledger restore /backup/winter.sqlite"""
)
@campaign_option
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def restore(root: Path, file: Path) -> None:
    """Restore the record from FILE, made by `penstock ledger backup`; no conductor may be running.

    The present record is kept beside it. What was done since the backup is brought back by `penstock ledger rebuild`, or
    done again after `penstock ledger accept`.
    """
    from penstock.ledger.backup import restore

    kept = restore(root, file.absolute())
    click.echo(visible(f"restored from {file}; {say_kept(kept)}; `penstock run` continues"))


def say_kept(kept: Path | None) -> str:
    """Say where the previous record is."""
    return f"the previous record is kept as {kept}" if kept else "there was no record before"


@ledger.command(
    epilog="""\b
Examples:
  penstock ledger export tables
  penstock ledger export tables --format parquet"""
)
@campaign_option
@click.option(
    "--format", "form", type=click.Choice(["csv", "jsonl", "parquet"]), default="csv", show_default=True
)
@click.argument("folder", type=click.Path(path_type=Path))
def export(root: Path, folder: Path, form: str) -> None:
    """Write the record into a new FOLDER, a file for each table: attempts, tasks, products, units and so on.

    Times are ISO 8601 in UTC, sizes bytes, durations seconds. Parquet needs `penstock[tables]`.
    """
    from penstock.ledger.exporting import export

    with open_record(root) as record:
        counts = export(record.db, folder.absolute(), form)
    click.echo(visible(f"{folder}: {', '.join(f'{n:,} {name}' for name, n in counts.items())}"))


@ledger.command(
    epilog="""\b
Examples:
  penstock ledger prune --before 90d --dry-run
  penstock ledger prune --before 2026-01-01"""
)
@campaign_option
@click.option("--before", required=True, metavar="WHEN", help="A date (UTC), or an age such as 90d.")
@click.option(
    "--export", "folder", type=click.Path(path_type=Path), help="Where to, instead of .penstock/exports."
)
@click.option("--dry-run", is_flag=True, help="Only say how much would be removed.")
def prune(root: Path, before: str, folder: Path | None, dry_run: bool) -> None:
    """Remove what is old and nothing depends on: earlier attempts and definitions, answered requests, changes, lifted vetoes.

    The record is exported first, and nothing is removed if that fails. A task's last attempt stays, and all of tasks that
    are not done. It may be done while a conductor works.
    """
    from penstock.ledger import FOLDER, Ledger
    from penstock.ledger.pruning import count_old, new_folder, prune

    since = time_before(before)
    if dry_run:
        with open_record(root) as record:
            counts = count_old(record.db, since)
        click.echo(f"would be removed: {amounts(counts)}")
        return
    place = folder.absolute() if folder else new_folder(root / FOLDER / "exports")
    with Ledger.open(root) as record:
        counts = prune(record, since, place)
    click.echo(visible(f"exported to {place}; removed: {amounts(counts)}"))


def amounts(counts: Mapping[str, int]) -> str:
    """Say how many there are of each."""
    return ", ".join(f"{n:,} {what}" for what, n in counts.items())


def time_before(text: str) -> float:
    """Read a date, or an age; raises BadParameter."""
    from penstock.config.amounts import seconds

    try:
        if text[:4].isdigit() and "-" in text:
            given = datetime.fromisoformat(text)
            return (given if given.tzinfo else given.replace(tzinfo=UTC)).timestamp()
        return time.time() - seconds(text)
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is neither a date like 2026-01-01 nor an age like 90d", param_hint="--before"
        ) from None


@ledger.command(
    epilog="""\b
Example:
  penstock ledger rebuild"""
)
@campaign_option
def rebuild(root: Path) -> None:
    """Make a lost or damaged record anew, from the archives of jobs, people's requests and the definition.

    The present record is compared with it as far as it can be read, and kept beside it. What cannot come back is listed.
    """
    from penstock import config
    from penstock.conductor.rebuilding import rebuild

    rebuilt = rebuild(config.load(root))
    click.echo(f"rebuilt from {count(rebuilt.jobs, 'job')}, with {count(rebuilt.attempts, 'attempt')}")
    for line in rebuilt.lacks:
        click.echo(visible(line))
    click.echo(visible(f"{say_kept(rebuilt.kept)}; `penstock run` continues"))


@ledger.command(
    epilog="""\b
Example:
  penstock ledger accept"""
)
@campaign_option
def accept(root: Path) -> None:
    """Continue with a record that is behind the jobs beside it, or of which a byte changed: it counts as it is.

    What was done in jobs that it does not know is done again.

    `penstock ledger rebuild` brings it back instead.
    """
    from penstock.conductor.accepting import accept_record

    said = accept_record(root)
    click.echo(f"the record is accepted as it is, beside {count(said, 'job')}: `penstock run` continues")


@ledger.command(
    epilog="""\b
Example:
  penstock ledger adopt --yes"""
)
@campaign_option
@click.option("--yes", is_flag=True, help="Confirm that the host with the record is gone for good.")
def adopt(root: Path, yes: bool) -> None:
    """Continue from the published copy of the record when the host that has it is gone for good.

    This is needed only for a campaign on a file system shared by several hosts, and only after a crash. Jobs
    that the copy knows are followed as before; those submitted after it are told to stop, and their tasks are done again.
    """
    from penstock.ledger.hosts.adoption import adopt_record

    click.echo(visible(adopt_record(root, yes=yes)))

"""A new campaign of a telescope: `penstock.toml`, and `telescope.toml` with where its tables and files are."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

from penstock.errors import DefinitionError
from penstock.workflows.setup.definition import (
    campaign_name,
    definition_in,
    table,
    write_definition,
    write_tables,
)
from penstock.workflows.telescope.definition import Shape, render_definition
from penstock.workflows.telescope.nights import LIST
from penstock.workflows.telescope.settings import FILE

TABLES = ("summary", "catalogue", "sky")
OF_FILES = (
    "Placeholders: {date} is 20200117, {run} and {subrun} are numbers. Remove what a telescope does not have."
)
OF_CALIBRATION = "How many nights before one may give its calibration."
TAILCUTS = '{"picture": 8, "boundary": 4, "neighbours": 2}\n'  # pe, pe, pixels
CHOICES = """# What is chosen for a run: the first rule that holds. Conditions are over columns of catalogue and sky, such as
# where = "nsb < 2 and dec > 30"; a rule without one is for the rest. The name is that of the production: another one,
# or another path, makes DL1b and what follows anew, and nothing before.
"""


def write_campaign(
    folder: Path,
    shape: Shape,
    *,
    data: str = "",
    since: date | None = None,
    nights: tuple[date, ...] = (),
    cleaning: tuple[str, str] = ("standard", ""),
    model: tuple[str, str] = ("standard", ""),
) -> Path:
    """Write the definition and `telescope.toml` in `folder`; `data` is where the folders of the profile are.

    Raises DefinitionError if one of them is there.
    """
    definition = definition_in(folder)
    if (folder / FILE).exists():
        raise DefinitionError(f"{folder / FILE} already exists; choose another folder, or remove it")
    write_definition(definition, render_definition(campaign_name(folder, "nights"), shape))
    chosen = {"cleaning": cleaning, "model": model}
    write_tables(folder / FILE, render_settings(shape, data, since, chosen))
    place = folder / cleaning[1]
    if shape.profile == "toy" and cleaning[1] and not place.exists():
        place.write_text(TAILCUTS, encoding="utf-8")
    if nights:
        (folder / LIST).write_text("".join(f"{day}\n" for day in nights), encoding="utf-8")
    return definition


def render_settings(
    shape: Shape, data: str, since: date | None, chosen: dict[str, tuple[str, str]]
) -> Iterator[str]:
    """Give the tables of `telescope.toml`."""
    prefix = f"{data.rstrip('/')}/" if data else ""
    files = {name: f"{prefix}{path}" for name, path in shape.files.items()}
    top = {"telescope": shape.telescope, "since": since}
    yield "".join(table("x", top).splitlines(keepends=True)[1:])
    yield table("tables", {name: path for name, path in files.items() if name in TABLES}, note=OF_FILES)
    yield table("files", {name: path for name, path in files.items() if name not in TABLES})
    yield table("calibration", {"walk_back": 4}, note=OF_CALIBRATION)
    yield CHOICES + "\n".join(_choice(kind, *names) for kind, names in chosen.items())


def _choice(kind: str, name: str, path: str) -> str:
    """Write a rule that is for all runs."""
    lines = table(kind, {"name": name, "path": path or kind}).splitlines(keepends=True)
    return "".join([f"[[{kind}]]\n", *lines[1:]])

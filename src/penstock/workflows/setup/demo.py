"""A demonstration: a campaign that is set up, run, and looked at."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from penstock.errors import PenstockError
from penstock.workflows.setup.definition import FILE, table

Say = Callable[[str], None]


def run_demo(
    folder: Path,
    set_up: Callable[[], None],
    *,
    say: Say,
    scheduler: str | None = None,
    page: str = "index.html",
) -> None:
    """Let `set_up` make a campaign in `folder` unless one is there, run it, and say where to look.

    `page` is the product that a person opens. Raises PenstockError if the run left none.
    """
    if (folder / FILE).exists():
        say(f"{folder} already holds a campaign: continuing with it")
    else:
        set_up()
    run = ["run", *(send_to(scheduler, folder, say) if scheduler else ())]
    say(f"\n$ cd {shlex.quote(str(folder))} && penstock {shlex.join(run)}")
    ended = subprocess.run([sys.executable, "-m", "penstock", *run], cwd=folder, check=False)
    made = (folder / page).resolve()
    if not made.exists():
        raise PenstockError(
            f"`penstock run` ended with {ended.returncode} and made no page; see `penstock status` in {folder}"
        )
    say(f"\nSee {made.as_uri()}")


def send_to(scheduler: str, folder: Path, say: Say) -> list[str]:
    """Add a cluster to the definition in `folder`, and return the options that send the stages there."""
    definition = folder / FILE
    # the nodes of a laboratory's cluster see its virtual environments
    site = {"scheduler": scheduler, "python": sys.executable, "visibility": "10s"}
    text = table(f"site.{scheduler}", site)
    if text.splitlines()[0] not in definition.read_text("utf-8").splitlines():
        with definition.open("a", encoding="utf-8") as file:
            file.write(f"\n{text}")
        say(f"\nadded to {definition}:\n{text}")
    return ["--site", scheduler]

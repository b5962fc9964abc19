"""Campaigns in a folder of a test: a definition, its input files, and what is in the record afterwards."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

from penstock import config
from penstock.campaign import Campaign
from penstock.clock import Clock
from penstock.conductor import Conductor, Ending
from penstock.ledger import Ledger
from penstock.pretended.clock import ManualClock
from penstock.pretended.outcomes import Rule, all_well
from penstock.pretended.site import PretendSite

AT_REST = 1_500_000_000  # seconds; input files are this old, so that they are at rest


@dataclass(frozen=True, slots=True)
class MadeCampaign:
    """A campaign in a folder, with what a test wants to do with it."""

    root: Path

    def load(self, *overrides: str) -> Campaign:
        """Return its definition as it stands in the file now."""
        return config.load(self.root, overrides)

    def write(self, name: str, content: str | bytes = b"", *, mtime: float = AT_REST) -> Path:
        """Write an input file that is at rest."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        os.utime(path, (mtime, mtime))
        return path

    def site(self, rule: Rule = all_well, *, clock: Clock | None = None) -> PretendSite:
        """Return a pretended site for it."""
        return PretendSite(self.root, rule=rule, clock=clock)

    def run(
        self, rule: Rule = all_well, *, site: PretendSite | None = None, clock: Clock | None = None
    ) -> Ending:
        """Run it on a pretended site until nothing can change, and return how that ended."""
        clock = clock or (site.clock if site else ManualClock())
        place = site or self.site(rule, clock=clock)
        with Conductor(self.load(), command="run", site=place, clock=clock) as conductor:
            return conductor.run()

    def states(self, stage: str) -> dict[str, str]:
        """Return the state of each task of a stage, by the canonical text of its key."""
        sql = (
            "SELECT u.key, t.state FROM task t JOIN unit u ON u.id = t.unit JOIN stage s ON s.id = t.stage"
            " WHERE s.name = ? ORDER BY u.key"
        )
        with Ledger.open(self.root, readonly=True) as ledger:
            return {row[0]: row[1] for row in ledger.db.execute(sql, (stage,))}


def make_campaign(
    folder: Path, definition: str, files: Mapping[str, str | bytes] | None = None
) -> MadeCampaign:
    """Make a campaign in `folder` out of the text of a `penstock.toml` and its input files.

    ```python
    made = make_campaign(tmp_path, '''
        [campaign]
        name = "winter"
        levels = ["file"]
        [units]
        files = "data/{file}.txt"
        [stage.copy]
        each = "file"
        command = ["cp", "{path}", "{product}"]
        products = "copies/{file}.txt"
        ''', files={"data/a.txt": "a"})
    assert made.run().code == 0
    assert made.states("copy") == {'["a"]': "done"}
    ```
    """
    folder.mkdir(parents=True, exist_ok=True)
    made = MadeCampaign(folder)
    (folder / "penstock.toml").write_text(dedent(definition), "utf-8")
    for name, content in (files or {}).items():
        made.write(name, content)
    return made

"""Records whose digests were made in a former way: where that way says that nothing changed, they get the present digests."""

from __future__ import annotations

import sqlite3

from penstock.campaign import Campaign
from penstock.config.digest import FORMAT
from penstock.config.former import former_digests


def rebase_definitions(db: sqlite3.Connection, campaign: Campaign) -> None:
    """Digest anew the stages that are as they were, and say so of the tasks that they made."""
    stages = {stage.name: stage for stage in campaign.stages}
    rows = db.execute(
        "SELECT id, name, digest FROM stage WHERE digest NOT LIKE ?", (f"{FORMAT}%",)
    ).fetchall()
    for number, name, digest in rows:
        if stage := stages.get(name):
            former = former_digests(stage, campaign.root)
            made = [(stage.digest, number, one) for one in former]
            db.executemany("UPDATE task SET made = ? WHERE stage = ? AND made = ?", made)
            if digest in former:
                db.execute("UPDATE stage SET digest = ? WHERE id = ?", (stage.digest, number))

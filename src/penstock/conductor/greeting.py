"""What is done first at a site, and again when it is back: its job folders are tidied up, and revoked is what must be."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence

from penstock.conductor.context import Context
from penstock.ledger import Ledger, jobs
from penstock.ledger.excerpt import write_excerpt
from penstock.site import JobSite
from penstock.site.protocols import Task

TAKEN_AWAY = "t.state IN ('failed', 'vetoed', 'gone')"  # from a job that is not over


def greet(context: Context, name: str) -> None:
    """Do at a site what was left undone when it could not be reached."""
    tidy_up(context.ledger, context.sites[name])
    revoke_at(context, name, TAKEN_AWAY)


def tidy_up(ledger: Ledger, site: JobSite) -> None:
    """Pack the folders of jobs that are over, and stop jobs that the record does not know."""
    site.check_owner()
    site.remove_drafts()
    for token in finished_ones(ledger, site.unpacked()):
        site.pack(token, write_excerpt(ledger.db, token))
    for token in strangers(ledger, site):
        site.revoke_all(token)


def finished_ones(ledger: Ledger, tokens: Sequence[str]) -> list[str]:
    """Return those of these jobs from which nothing more can come."""
    sql = "SELECT token FROM job WHERE state = 'finished' AND token IN (SELECT value FROM json_each(?))"
    return [row[0] for row in ledger.db.execute(sql, (json.dumps(list(tokens)),))]


def strangers(ledger: Ledger, site: JobSite) -> list[str]:
    """Return the jobs of this campaign that its record lacks: submitted after the copy that it continues from."""
    known = {row[0] for row in ledger.db.execute("SELECT token FROM job")}
    return [t for t in site.unpacked() if t not in known and site.is_of_campaign(t)]


def revoke_at(context: Context, name: str, which: str) -> None:
    """Tell the runners of a site not to go on with those of their tasks for which the SQL condition `which` holds."""
    for job in (job for job in jobs.open_jobs(context.ledger.db) if job["site"] == name):
        taken = defaultdict[int, list[Task]](list)
        for element, stage, unit in context.ledger.db.execute(
            "SELECT b.element, t.stage, t.unit FROM batch b JOIN task t ON t.batch = b.id"
            f" WHERE b.job = ? AND {which} ORDER BY b.element",
            (job["id"],),
        ):
            taken[element].append((stage, unit))
        if taken:
            context.sites[name].revoke(job["token"], taken)

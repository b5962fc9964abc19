"""What a pretended Slurm prints, as squeue, sacct and scontrol of Slurm 22.05 do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby

from penstock.pretended.elements import PretendElement, PretendJob
from penstock.schedulers.text import write_ranges

HEADS = {"i": "JOBID", "j": "NAME", "T": "STATE", "S": "START_TIME", "N": "NODELIST", "r": "REASON"}


def queue_text(jobs: Iterable[PretendJob], form: str, *, now: float, remembers_s: float) -> str:
    """Return the answer of squeue; `form` is its --format."""
    rows = [row for job in jobs for row in queue_rows(job, now - remembers_s)]
    return "".join(fill(form, row) + "\n" for row in (HEADS, *rows))


def fill(form: str, row: Mapping[str, str]) -> str:
    """Put the fields of a row into a format."""
    return re.sub(r"%(\w)", lambda found: row[found[1]], form)


def queue_rows(job: PretendJob, since: float) -> Iterator[dict[str, str]]:
    """Yield a row for what waits for the same reason, and one for each other element that ended after `since`."""
    for reason, ids in pending_ids(job):
        start = str(int(job.submitted) + 3600) if reason == "Resources" else "N/A"
        yield {"i": ids, "j": job.name, "T": "PENDING", "S": start, "N": "", "r": reason}
    for e in job.elements.values():
        if not e.is_pending and not e.traceless and (e.ended is None or e.ended > since):
            started = str(int(e.started)) if e.started else "N/A"
            yield {
                "i": job.id_of(e.index),
                "j": job.name,
                "T": e.word,
                "S": started,
                "N": e.node,
                "r": e.reason,
            }


def pending_ids(job: PretendJob) -> Iterator[tuple[str, str]]:
    """Yield reason and id of what waits, the elements of an array together."""
    waiting = sorted(job.pending(), key=lambda e: e.reason)
    for reason, elements in groupby(waiting, key=lambda e: e.reason):
        most = f"%{job.most}" if job.most else ""
        yield reason, job.id_of(text=f"[{write_ranges(e.index for e in elements)}{most}]")


def history_text(jobs: Iterable[PretendJob], fields: str, *, before: float, frozen: bool = False) -> str:
    """Return the answer of sacct, which knows what changed before `before`; `frozen`: it never heard of an end."""
    names = fields.split(",")
    rows = [row for job in jobs for row in history_rows(job, before, frozen=frozen)]
    lines = ["|".join(names), *("|".join(row[name] for name in names) for row in rows)]
    return "".join(f"{line}|\n" for line in lines)


def history_rows(job: PretendJob, before: float, *, frozen: bool) -> Iterator[dict[str, str]]:
    """Yield a row for each element that was started or cancelled, and one for what waits."""
    for e in job.elements.values():
        if e.changed <= before and not e.is_pending and (e.started is not None or not job.is_array):
            yield history_row(job, e, frozen=frozen)
    for reason, ids in pending_ids(job) if job.submitted <= before else ():
        yield {
            "JobID": ids, "JobName": job.name, "State": "PENDING", "ExitCode": "0:0", "NodeList": "None assigned",
            "Reason": reason,
        }  # fmt: skip


def history_row(job: PretendJob, element: PretendElement, *, frozen: bool) -> dict[str, str]:
    """Return the row of one element."""
    word = "RUNNING" if frozen else element.word + (f" by {element.by}" if element.by else "")
    return {
        "JobID": job.id_of(element.index), "JobName": job.name, "State": word,
        "ExitCode": "0:0" if frozen else element.code, "NodeList": element.node or "None assigned", "Reason": element.reason,
    }  # fmt: skip


def config_text(array_size: int, remembers_s: float, *, accounting: bool) -> str:
    """Return the answer of `scontrol show config`, shortened."""
    kind = "accounting_storage/slurmdbd" if accounting else "accounting_storage/none"
    lines = {
        "AccountingStorageType": kind,
        "ClusterName": "pretend",
        "MaxArraySize": str(array_size + 1),
        "MaxJobCount": "10000",
        "MinJobAge": f"{remembers_s:.0f} sec",
        "SLURM_VERSION": "22.05.8",
    }
    body = "".join(f"{key:<23} = {value}\n" for key, value in lines.items())
    return f"Configuration data as of 2026-01-01T00:00:00\n{body}\nSlurmctld(primary) at host is UP\n"

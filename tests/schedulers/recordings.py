"""Outputs of real schedulers, as they were recorded: one JSON file a command, with argv, rc (None: it hung), stdout, stderr."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from penstock.schedulers.model import Known
from penstock.transports.reply import Reply

FOLDER = Path(__file__).with_name("recorded")


@dataclass(frozen=True)
class Recording:
    argv: list[str]
    reply: Reply


def recorded(name: str) -> Recording:
    """Read `recorded/<scheduler>/<number>-<case>.json`."""
    data = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    return Recording(data["argv"], Reply(data["rc"], data["stdout"], data["stderr"]))


def all_recorded(scheduler: str) -> list[str]:
    """Return the names of all recordings of a scheduler."""
    return sorted(f"{scheduler}/{path.stem}" for path in (FOLDER / scheduler).glob("*.json"))


def cut_anywhere(reply: Reply) -> list[Reply]:
    """Return the reply with its output ended after each of its characters."""
    return [Reply(reply.code, reply.out[:end], reply.err) for end in range(len(reply.out))]


#: how the answers of PBS, Torque and Grid Engine give an id and the name of its job
NAMED = re.compile(
    r'"(\d+)[^"\s]*":\s*\{\s*"Job_Name":\s*"([^"]+)"|^Job Id:\s*(\d+)\S*\s+Job_Name = (\S+)'
    r"|<JB_job_number>(\d+)</JB_job_number>.*?<JB_name>([^<]*)</JB_name>",
    re.MULTILINE | re.DOTALL,
)


def under_their_names(reply: Reply, jobs: Sequence[Known]) -> list[Known]:
    """Return jobs with the names that an answer gives to their ids."""
    found = [[part for part in match if part] for match in NAMED.findall(reply.out)]
    names = dict(pair for pair in found if len(pair) == 2)
    return [replace(job, token=names.get((job.native or "").partition(".")[0], job.token)) for job in jobs]

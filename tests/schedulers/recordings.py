"""Outputs of real schedulers, as they were recorded: one JSON file a command, with argv, rc (None: it hung), stdout, stderr."""

import json
from dataclasses import dataclass
from pathlib import Path

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

"""A job's tasks, read back from its `tasks.jsonl`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from penstock.runner.sealed import digest_of, unseal


@dataclass(slots=True)
class Feed:
    """The task lines of each complete batch, and what is wrong with what follows them, if anything."""

    batches: list[bytes] = field(default_factory=list[bytes])
    damage: str | None = None


def read_feed(data: bytes) -> Feed:
    """Read a feed; a last batch that was cut off by a crash does not count, and is not damage."""
    feed, offset = Feed(), 0
    while (newline := data.find(b"\n", offset)) >= 0:
        header = unseal(data[offset:newline])
        if header is None or not isinstance(header.get("bytes"), int):
            feed.damage = f"is damaged at byte {offset}"
            return feed
        begin, end = newline + 1, newline + 1 + header["bytes"]
        if end > len(data):
            return feed
        if header.get("body") not in (None, digest_of(data[begin:end]).decode()):
            feed.damage = f"is damaged behind byte {begin}"
            return feed
        feed.batches.append(data[begin:end])
        offset = end
    return feed


def read_devices(data: bytes) -> Sequence[str]:
    """Return the GPUs of all batches in a feed."""
    headers = (unseal(line) for line in data.splitlines() if line.startswith(b'{"batch":'))
    found = (device for header in headers if header for device in header.get("devices", ()))
    return list(dict.fromkeys(found))


def product_folders(data: bytes) -> set[str]:
    """Return the folders, as written, to which the products of all tasks in a feed go, as far as it can be read."""
    folders = set[str]()
    for line in data.splitlines():
        with suppress(KeyError, TypeError, AttributeError):  # a damaged line
            paths = [p["path"] for task in chain_of(unseal(line)) for p in task.get("products", {}).values()]
            folders.update(str(PurePath(path).parent) for path in paths)
    return folders


def chain_of(task: dict[str, Any] | None) -> Iterator[dict[str, Any]]:
    """Yield a task and those that follow it in the same worker."""
    while task:
        yield task
        task = task.get("then")

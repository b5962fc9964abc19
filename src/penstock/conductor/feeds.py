"""What a job was given, read back from its `tasks.jsonl`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any


def batches_in(feed: bytes) -> Iterator[bytes]:
    """Yield the task lines of each whole batch; a last one that was cut off by a crash does not count."""
    offset = 0
    while (newline := feed.find(b"\n", offset)) >= 0:
        begin = newline + 1
        end = begin + int(json.loads(feed[offset:newline])["bytes"])
        if end > len(feed):
            return
        yield feed[begin:end]
        offset = end


def product_folders(feed: bytes) -> set[str]:
    """Return the folders, as written, to which the products of all tasks in a feed go."""
    paths = {
        product["path"]
        for batch in batches_in(feed)
        for line in batch.splitlines()
        for task in chain_of(json.loads(line))
        for product in task.get("products", {}).values()
    }
    return {str(PurePath(path).parent) for path in paths}


def chain_of(task: dict[str, Any] | None) -> Iterator[dict[str, Any]]:
    """Yield a task and those that follow it in the same worker."""
    while task:
        yield task
        task = task.get("then")

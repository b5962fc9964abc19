"""The lines that a runner writes, and what their members mean."""

import json
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from penstock.conductor import Conductor
from penstock.config import load
from penstock.runner import claim, events, main
from penstock_reference.markdown import code, fence, join, sentence, table

#: in every line
COMMON = {
    "t": "the job's token",
    "i": "the element of the job, from 1",
    "l": "the life: 1, and one more each time the scheduler starts the element again",
    "n": "the number of the line in its file, from 1; one that was read before is skipped, one out of order refused",
    "at": "when, in seconds since 1970 by the clock there; nothing is decided by it",
    "e": "the kind of the line",
}

#: kind → what it tells, and its own members
KINDS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "claim": (
        "the first line: this process owns the element",
        {
            "native": "the scheduler's id, or pid and start time",
            "host": "the machine",
            "boot": "the machine's boot id",
            "pid": "the process",
            "start": "its start time in clock ticks",
            "space": "the process namespace of that number",
            "python": "the Python that runs it",
            "runner": "the digest of `runner.pyz`",
            "software": "what tasks run with: `user`, `python`, `system`, and the variables (`environment`) and `versions` of"
            " programs that `[provenance]` names",
        },
    ),
    "start": (
        "a task begins",
        {
            "s": "the stage's id",
            "u": "the unit's id",
            "w": "the worker slot, from 1",
            "clear": "1 when no file is at its products' paths that is not its own to replace",
        },
    ),
    "end": (
        "a task has ended; on success, all products have their final names before this line is written, and count"
        " when a `sync` follows; otherwise, the tasks that would have followed it in the same worker are returned too",
        {
            "s": "the stage's id",
            "u": "the unit's id",
            "w": "the worker slot",
            "o": "the [outcome](states.md#attempt-outcomes)",
            "wall": "seconds that it took",
            "cpu": "seconds of CPU, its children's included",
            "rss": "peak memory in bytes",
            "code": "the exit code; null when a signal ended it, or for a function",
            "signal": "the signal that ended it, or null",
            "log": "worker slot, offset and length of its output in `<i>.<w>.log`",
            "products": "name: path, bytes, SHA-256 and, in ns, the mtime of each",
            "contents": "path, bytes, mtime in ns and SHA-256 of each input file that the record did not know yet",
            "why": "one sentence, when it failed",
            "verdict": "permanent, transient, veto or mark, when a rule or the stage's code said so, or no other try can help",
            "rule": "the name of the rule that said so",
            "result": "what the function returned",
            "children": "value and fields of each unit that it made",
        },
    ),
    "give": (
        "tasks are returned that were never started",
        {"tasks": "stage and unit of each", "why": "the reason, such as the deadline"},
    ),
    "sync": (
        "all products that ends before this line name are on the disk: these ends count now",
        {"ends": "how many there were since the last one"},
    ),
    "void": (
        "products could not be made durable: the successes of these tasks do not count",
        {"tasks": "stage and unit of each", "why": "what is wrong with the disk"},
    ),
    "batch": ("a whole batch is finished", {"number": "its number in the feed"}),
    "beat": (
        "a sign of life, each minute",
        {
            "rss": "bytes of memory of runner and tasks; null: unknown",
            "free": "free bytes on the campaign's disk",
        },
    ),
    "halt": (
        "the site cannot work, such as with a full disk; nothing more is started",
        {"why": "what is wrong with it"},
    ),
    "leave": ("the last line of a runner that exits normally", {"why": "the reason"}),
    "double": (
        "in `doubles.jsonl`, without `l` and `n`: a second copy of an element found it taken and exited",
        {
            "native": "the id of the copy",
            "held": "the id that has the element",
            "host": "the copy's machine",
            "pid": "the copy's process",
        },
    ),
}

EXITS = {
    "0": "it exited normally, or the element was taken already",
    str(main.WRONG_USE): "wrong use: no spec, or an unknown element; nothing was claimed",
    str(main.BROKEN): "the runner itself failed; the end of its standard error says how",
    str(main.NO_ROOM): "no space to work; nothing was claimed",
}

INTRODUCTION = f"""# Events

A runner reports what it does in `.penstock/jobs/<token>/<element>.<life>.jsonl`: one JSON object for each line, each appended by
one write. The conductor reads new bytes up to the last newline, from where it stopped, and applies them with the moved
offset in one transaction. Events are data and not orders: a line of another job, a task that the job never had, a line
that is not JSON or longer than {events.LINE_LIMIT:,} bytes is recorded as a problem and skipped. When a
job is over, its files are packed into `<token>.zip`.

Creating the file is the *claim*: it appears with its first line in it, in one step, and its creator owns the element.
A claim without its first line after {claim.TORN_CLAIM_S:g} seconds was left by a process that died.

An `end` line is the last step: products are flushed to disk, renamed, their folders flushed; then the line, then a flush
of the event file. Several tasks share these flushes, for at most a second."""

CAMPAIGN = """
campaign = { name = "words", levels = ["file"] }
units = { files = "{file}.txt", settle = "0s" }
site.local.cores = 1
[stage.sorted]
each = "file"
command = ["sort", "-o", "{product}", "{path}"]
products = "sorted/{file}.txt"
"""


def render_page() -> str:
    """Render the page."""
    return join(
        INTRODUCTION,
        "## An example",
        "One unit, sorted, as written when this page was made:",
        fence("\n".join(map(_shorten, record_example())), "json"),
        "## In every line",
        table(("member", "meaning"), ((code(name), sentence(text)) for name, text in COMMON.items())),
        "## Kinds",
        *(_describe(kind) for kind in KINDS),
        "## How a runner ends",
        table(("exit code", "meaning"), ((code(number), sentence(text)) for number, text in EXITS.items())),
    )


def _describe(kind: str) -> str:
    what, members = KINDS[kind]
    rows = ((code(name), sentence(text)) for name, text in members.items())
    return join(f"### {kind}", sentence(what), table(("member", "meaning"), rows))


def record_example() -> list[dict[str, Any]]:
    """Run a campaign of one unit and return what its runner wrote."""
    with tempfile.TemporaryDirectory(prefix="penstock-docs-") as place:
        folder = Path(place)
        (folder / "penstock.toml").write_text(CAMPAIGN)
        (folder / "a.txt").write_text("b\na\n")
        with Conductor(load(folder), command="run") as conductor:
            conductor.run()
        (packed,) = folder.glob(".penstock/jobs/*.zip")
        with zipfile.ZipFile(packed) as archive:
            (name,) = (name for name in archive.namelist() if name.endswith("1.1.jsonl"))
            return [json.loads(line) for line in archive.read(name).decode().splitlines()]


def _shorten(event: dict[str, Any]) -> str:
    event = {**event, "host": "lab1"} if "host" in event else event
    texts = {
        name: f"{value[:8]}…" for name, value in event.items() if isinstance(value, str) and len(value) > 30
    }
    made = {
        name: [path, size, f"{digest[:8]}…", mtime_ns]
        for name, (path, size, digest, mtime_ns) in event.get("products", {}).items()
    }
    return json.dumps({**event, **texts, **({"products": made} if made else {})}, ensure_ascii=False)

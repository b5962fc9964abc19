"""What runners' lines say: each is sorted by kind, and refused when not valid. Nothing is recorded here."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, get_args

from penstock.decide import Outcome

T = TypeVar("T")

LONGEST_LINE = 1_000_000
MARKS = ("sync", "leave")  # all that was told before them is on the disk
ASKED = "asked to stop"  # what a runner says when a signal ended it
OUTCOMES = frozenset(get_args(Outcome))
DECODE = json.JSONDecoder().raw_decode
NUMBERS = ("wall", "cpu", "rss", "code", "signal")
Event = dict[str, Any]
Task = tuple[str, int]  # stage, unit


class RemovedStage(Exception):
    """A stage that the definition no longer has."""


@dataclass(slots=True)
class Chunk:
    """Events of one piece of an event file, sorted by kind."""

    starts: dict[Task, Event] = field(default_factory=dict[Task, Event])
    ends: dict[Task, Event] = field(default_factory=dict[Task, Event])
    gives: list[Task] = field(default_factory=list[Task])
    stopped: set[Task] = field(default_factory=set[Task])
    """Tasks returned or cut short because the runner was asked to stop."""
    claim: Event | None = None
    beat: Event | None = None
    software: Event | None = None
    halt: str | None = None
    left: str | None = None
    batches: list[int] = field(default_factory=list[int])
    bad: list[str] = field(default_factory=list[str])
    consumed: int = 0
    seq: int = 0
    unread: int = 0
    began: set[Task] = field(default_factory=set[Task])


@dataclass(frozen=True, slots=True)
class News:
    """What a chunk of events tells those who only want to know how far it goes, and what ended."""

    consumed: int = 0  # bytes
    ended: int = 0
    halt: str | None = None
    walls: Mapping[str, Sequence[float]] = field(default_factory=dict[str, Sequence[float]])
    """Wall times, in seconds, of what ended well, by stage."""
    failed: frozenset[str] = frozenset()  # stages of which something did not


def news_of(chunk: Chunk) -> News:
    """Return what a chunk tells."""
    walls: defaultdict[str, list[float]] = defaultdict(list)
    for (stage, _), event in chunk.ends.items():
        if event["o"] == "ok":
            walls[stage].append(event["wall"] or 0.0)
    failed = frozenset(stage for (stage, _), event in chunk.ends.items() if event["o"] != "ok")
    return News(chunk.consumed, len(chunk.ends), chunk.halt, walls, failed)


def parse_events(
    data: bytes, *, token: str, seq: int, names: Mapping[int, str], unread: int = 0, last: bool = False
) -> Chunk:
    """Sort the whole lines of `data`; those up to `seq` are known already, those that are not valid are `bad`.

    What follows the first good end without a mark is left for later, unless these are the `last` bytes.
    A line's number follows that of the one before, but for as many as were `unread`.
    """
    whole = data.rfind(b"\n") + 1
    chunk = Chunk(consumed=whole, seq=seq, unread=unread)
    if not whole and len(data) > LONGEST_LINE:  # its rest comes as an unreadable line
        return Chunk(
            consumed=len(data), seq=seq, unread=unread,
            bad=[f"line {seq + unread + 1} has more than {LONGEST_LINE} bytes"],
        )  # fmt: skip
    lines = data[:whole].split(b"\n")[:-1]
    events = [parse_line(line, token) for line in lines]
    end = len(lines) if last else counting(events)
    if not end and len(data) > LONGEST_LINE:  # by a runner that writes no marks
        end = len(lines)
    chunk.consumed -= sum(len(line) + 1 for line in lines[end:])
    bad = defaultdict[str, list[int]](list)
    for event in events[:end]:
        chunk.unread += isinstance(event, str)
        why = event if isinstance(event, str) else take_event(chunk, event, names)
        if why:
            bad[why].append(chunk.seq + chunk.unread)
    chunk.bad = [say_lines(numbers, why) for why, numbers in bad.items()]
    return chunk


def say_lines(numbers: Sequence[int], why: str) -> str:
    """Say what is wrong with lines of an event file.

    >>> say_lines([7, 8, 9], "cannot be read")
    'line 7 cannot be read, and 2 more'
    """
    more = f", and {len(numbers) - 1} more" if len(numbers) > 1 else ""
    return f"line {numbers[0]} {why}{more}"


def counting(events: Sequence[Event | str]) -> int:
    """Return how many of these lines count by now: those before the first good end that no mark follows."""
    marked = len(events)
    while marked and not is_mark(events[marked - 1]):
        marked -= 1
    return next((n for n in range(marked, len(events)) if is_good_end(events[n])), len(events))


def is_mark(event: Event | str) -> bool:
    """Whether a line says that everything before it is on the disk."""
    return not isinstance(event, str) and event.get("e") in MARKS


def is_good_end(event: Event | str) -> bool:
    """Whether a line is the end of a task that left products."""
    return not isinstance(event, str) and event.get("e") == "end" and bool(event.get("products"))


def take_event(chunk: Chunk, event: Event, names: Mapping[int, str]) -> str | None:
    """Sort one event; return what is wrong with it, if anything."""
    skipped = event["n"] - chunk.seq - 1
    if skipped < 0:
        return None
    if skipped > chunk.unread:
        chunk.unread += 1  # it may be a line of the runner, of which the number is damaged
        return f"has the number {event['n']}, which does not follow {chunk.seq}"
    chunk.seq, chunk.unread = event["n"], chunk.unread - skipped
    try:
        sort_event(chunk, event, names)
    except RemovedStage:
        return "is of a stage that the definition no longer has"
    except (KeyError, TypeError, ValueError) as error:
        return f"makes no sense ({error!r})"
    return None


def parse_line(line: bytes, token: str) -> Event | str:
    """Return the event of a line, or why it is none."""
    if len(line) > LONGEST_LINE:
        return f"has {len(line)} bytes, more than {LONGEST_LINE}"
    try:
        text = line.decode()
        event, end = DECODE(text)
    except ValueError:
        return "cannot be read"
    if end != len(text):
        return "cannot be read"
    if not isinstance(event, dict) or event.get("t") != token or not isinstance(event.get("n"), int):  # type: ignore[reportUnknownMemberType]
        return "is of another job"
    return event  # type: ignore[reportUnknownVariableType]


def sort_event(chunk: Chunk, event: Event, names: Mapping[int, str]) -> None:
    """Sort one event; an unknown kind is ignored, as newer runners may know more."""
    match event["e"]:
        case "start":
            task = task_of(event["s"], event["u"], names)
            chunk.starts[task] = event
            chunk.began.add(task)
        case "end":
            task = task_of(event["s"], event["u"], names)
            chunk.ends.setdefault(task, checked_end(event))
            if event["o"] == "cancelled":
                chunk.stopped.add(task)
            chunk.starts.pop(task, None)
        case "give":
            given = tasks_in(event, names)
            chunk.gives.extend(given)
            if event.get("why") == ASKED:
                chunk.stopped.update(given)
        case "void":
            void_ends(chunk, tasks_in(event, names), str(event["why"]))
        case _:
            sort_word(chunk, event)


def sort_word(chunk: Chunk, event: Event) -> None:
    """Sort an event that a runner reports about itself."""
    match event["e"]:
        case "claim":
            chunk.claim = {name: event[name] for name in ("native", "host", "boot", "pid", "start")}
            chunk.claim["space"] = event.get("space")
            told = event.get("software")
            chunk.software = told if isinstance(told, dict) else None
        case "beat":
            chunk.beat = event
        case "halt":
            chunk.halt = str(event["why"])
        case "leave":
            chunk.left = str(event.get("why", ""))
        case "batch":
            chunk.batches.append(int(event["number"]))
        case _:
            pass


def tasks_in(event: Event, names: Mapping[int, str]) -> list[Task]:
    """Return the tasks that an event lists."""
    return [task_of(stage, unit, names) for stage, unit in event["tasks"]]


def task_of(stage: int, unit: Any, names: Mapping[int, str]) -> Task:
    """Return a task by the numbers that runners know; raises RemovedStage when the definition has its stage no more."""
    name = names.get(stage)
    if name is None:
        raise RemovedStage(stage)
    return name, int(unit)


def void_ends(chunk: Chunk, tasks: Sequence[Task], why: str) -> None:
    """Take back good ends whose products did not reach the disk."""
    nothing: Event = {"o": "node_failure", "why": why, "products": {}, "children": [], "result": None}
    ends: dict[Task, Event] = {task: {**chunk.ends[task], **nothing} for task in tasks if task in chunk.ends}
    chunk.ends.update({task: end for task, end in ends.items() if chunk.ends[task]["o"] == "ok"})


def checked_product(
    path: Any, size: Any, digest: Any, mtime_ns: Any = None
) -> tuple[str, int, str, int | None]:
    """Return a product of an `end` event with the types that it must have; older runners give no time."""
    return str(path), int(size), str(digest), None if mtime_ns is None else int(mtime_ns)


def checked_content(path: Any, size: Any, mtime_ns: Any, digest: Any) -> tuple[str, int, int, str]:
    """Return what an `end` event says of an input file, with the types that it must have."""
    return str(path), int(size), int(mtime_ns), str(digest)


def checked_end(event: Event) -> Event:
    """Return an `end` event with the types that it must have; raises if it has others."""
    if event["o"] not in OUTCOMES:
        raise ValueError(f"unknown outcome {event['o']}")
    checked = {**event, "at": float(event["at"])}
    for name in NUMBERS:
        value = event.get(name)
        checked[name] = value and float(value)
    given: dict[str, Sequence[Any]] = event.get("products") or {}
    born: list[tuple[Any, dict[str, Any]]] = event.get("children") or []
    checked["products"] = {name: checked_product(*made) for name, made in given.items()} if given else {}
    checked["children"] = [(value, {**fields}) for value, fields in born] if born else []
    checked["log"] = list(map(int, event.get("log") or ()))
    checked["contents"] = [checked_content(*row) for row in event.get("contents") or ()]
    checked["why"] = event.get("why") and str(event["why"])
    checked["rule"] = str(event.get("rule") or "")
    return checked


def why_of(event: Event) -> str:
    """Say why an attempt failed."""
    return str(event["why"] or event["o"])


def by_stage(events: Mapping[Task, T]) -> dict[str, dict[int, T]]:
    """Group by stage what is known by (stage, unit)."""
    grouped: dict[str, dict[int, T]] = {}
    for (stage, unit), event in events.items():
        grouped.setdefault(stage, {})[unit] = event
    return grouped

"""What runners' lines say: each is sorted by what it tells, and refused where it cannot be. Nothing is recorded here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from penstock.decide import Outcome

LONGEST_LINE = 1_000_000
ASKED = "asked to stop"  # what a runner says when a signal ended it
OUTCOMES = frozenset(get_args(Outcome))
DECODE = json.JSONDecoder().decode
Event = dict[str, Any]
Task = tuple[str, int]  # stage, unit


@dataclass(slots=True)
class Chunk:
    """Events of one piece of an event file, sorted by what they tell."""

    starts: dict[Task, Event] = field(default_factory=dict[Task, Event])
    ends: dict[Task, Event] = field(default_factory=dict[Task, Event])
    gives: list[Task] = field(default_factory=list[Task])
    stopped: set[Task] = field(default_factory=set[Task])
    """Tasks given back or cut short because somebody asked the runner to stop."""
    claim: Event | None = None
    beat: Event | None = None
    halt: str | None = None
    left: str | None = None
    batches: list[int] = field(default_factory=list[int])
    bad: list[str] = field(default_factory=list[str])
    consumed: int = 0
    seq: int = 0
    begun: int = 0


def parse_events(data: bytes, *, token: str, seq: int, names: Mapping[int, str]) -> Chunk:
    """Sort the whole lines of `data`; those up to `seq` are known already, those that make no sense are `bad`."""
    chunk = Chunk(consumed=data.rfind(b"\n") + 1, seq=seq)
    if not chunk.consumed and len(data) > LONGEST_LINE:  # its rest comes as an unreadable line
        return Chunk(consumed=len(data), seq=seq, bad=[f"an event of more than {LONGEST_LINE} bytes"])
    for line in data[: chunk.consumed].split(b"\n")[:-1]:
        event = parse_line(line, token)
        if isinstance(event, str):
            chunk.bad.append(event)
        elif event["n"] > chunk.seq:
            chunk.seq = event["n"]
            try:
                sort_event(chunk, event, names)
            except (KeyError, TypeError, ValueError) as error:
                chunk.bad.append(
                    f"an event that makes no sense ({error!r}): {line[:200].decode(errors='replace')}"
                )
    return chunk


def parse_line(line: bytes, token: str) -> Event | str:
    """Return the event of a line, or why it is none."""
    if len(line) > LONGEST_LINE:
        return f"an event of {len(line)} bytes, more than {LONGEST_LINE}"
    try:
        event = DECODE(line.decode())
    except ValueError:
        return f"an unreadable event: {line[:200].decode(errors='replace')}"
    if not isinstance(event, dict) or event.get("t") != token or not isinstance(event.get("n"), int):  # type: ignore[reportUnknownMemberType]
        return f"an event of another job: {line[:200].decode(errors='replace')}"
    return event  # type: ignore[reportUnknownVariableType]


def sort_event(chunk: Chunk, event: Event, names: Mapping[int, str]) -> None:
    """Put one event where it belongs; an unknown kind is passed over, as newer runners may know more."""
    match event["e"]:
        case "start":
            chunk.starts[names[event["s"]], int(event["u"])] = event
            chunk.begun += 1
        case "end":
            task = names[event["s"]], int(event["u"])
            chunk.ends.setdefault(task, checked_end(event))
            if event["o"] == "cancelled":
                chunk.stopped.add(task)
            chunk.starts.pop(task, None)
        case "give":
            given = [(names[s], int(u)) for s, u in event["tasks"]]
            chunk.gives.extend(given)
            if event.get("why") == ASKED:
                chunk.stopped.update(given)
        case "claim":
            chunk.claim = {name: event[name] for name in ("native", "host", "boot", "pid", "start")}
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


def checked_end(event: Event) -> Event:
    """Return an `end` event with the types that it must have; raises if it has others."""
    if event["o"] not in OUTCOMES:
        raise ValueError(f"unknown outcome {event['o']}")
    given: dict[str, tuple[Any, Any, Any]] = event.get("products") or {}
    products = {name: (str(path), int(size), str(digest)) for name, (path, size, digest) in given.items()}
    log = [int(number) for number in event.get("log") or ()]
    born: list[tuple[Any, dict[str, Any]]] = event.get("children") or []
    children = [(value, {**fields}) for value, fields in born]
    numbers = {
        name: event.get(name) and float(event[name]) for name in ("wall", "cpu", "rss", "code", "signal")
    }
    why = event.get("why") and str(event["why"])
    checked = {"at": float(event["at"]), "products": products, "log": log, "children": children, "why": why}
    return {**event, **numbers, **checked}

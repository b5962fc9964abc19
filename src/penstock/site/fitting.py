"""What tasks take of a machine that runs them itself, and whether it has that much. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from penstock.campaign import Resources, Stage
from penstock.display import count, show_bytes
from penstock.errors import DefinitionError
from penstock.hardware import Amounts, Node


def taken_by(asked: Resources, node: Node) -> Amounts:
    """Return what one worker takes of a node."""
    cores = node.room.cores if asked.exclusive else asked.cpus * asked.tasks_per_node
    return Amounts(cores, asked.memory_bytes or 0, asked.gpus)


def refuse_larger(stage: Stage, site: str, nodes: Sequence[Node]) -> None:
    """Raise DefinitionError when a task asks for more than any node has."""
    for asked, there, remedy in excesses(stage.resources, roomiest(nodes)):
        raise DefinitionError(
            f"stage '{stage.name}': a task asks for {asked}, and site '{site}' has {there}: {remedy}, or run it at a"
            " site that has them"
        )


def excesses(asked: Resources, node: Node) -> Iterator[tuple[str, str, str]]:
    """Yield what is asked for and not there: how much, how much there is, and what to do."""
    needs, room, less = taken_by(asked, node), node.room, "ask for less in `resources`"
    if asked.nodes > 1:
        yield f"{asked.nodes} nodes", "no scheduler that gives them", less
    if needs.cores > room.cores:
        yield count(needs.cores, "core"), f"{room.cores:,}", less
    if needs.memory_bytes > room.memory_bytes:
        yield f"{show_bytes(needs.memory_bytes)} of memory", show_bytes(room.memory_bytes), less
    if needs.gpus > room.gpus:
        yield count(needs.gpus, "GPU"), f"{room.gpus:,}" if room.gpus else "none", f"{less}, say `gpus` there"


def roomiest(nodes: Sequence[Node]) -> Node:
    """Return the node with the most cores."""
    return max(nodes, key=lambda node: node.room.cores)

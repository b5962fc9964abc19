"""Where the nodes of a graph stand in a drawing: data flow from left to right, with few lines that cross."""

from __future__ import annotations

from collections.abc import Sequence

SWEEPS = 4  # over the columns, to have fewer lines cross

Edges = Sequence[tuple[str, str]]


def arrange(nodes: Sequence[str], edges: Edges) -> dict[str, tuple[int, float]]:
    """Return column and row of each node.

    >>> arrange(["raw", "a", "b", "sum"], [("raw", "a"), ("raw", "b"), ("a", "sum"), ("b", "sum")])
    {'raw': (0, 0.5), 'a': (1, 0.0), 'b': (1, 1.0), 'sum': (2, 0.5)}
    """
    return placed(columns_of(nodes, edges), edges)


def columns_of(nodes: Sequence[str], edges: Edges) -> list[list[str]]:
    """Put each node into the column after the last of those that it comes from."""
    sources: dict[str, list[str]] = {node: [] for node in nodes}
    for source, target in edges:
        sources[target].append(source)
    depth: dict[str, int] = {}
    waiting = list(nodes)
    while waiting:
        ready = [node for node in waiting if all(source in depth for source in sources[node])]
        for node in ready or waiting[:1]:  # a cycle, which the record does not have, would be cut
            depth[node] = 1 + max((depth.get(source, -1) for source in sources[node]), default=-1)
        waiting = [node for node in waiting if node not in depth]
    for node in nodes:  # an input stands just before what it goes into
        targets = [depth[target] for source, target in edges if source == node]
        if not sources[node] and targets:
            depth[node] = max(0, min(targets) - 1)
    return [[n for n in nodes if depth[n] == column] for column in range(max(depth.values(), default=-1) + 1)]


def placed(columns: list[list[str]], edges: Edges) -> dict[str, tuple[int, float]]:
    """Return column and row of each node: in each column those are near that belong to near ones."""
    near: dict[str, list[str]] = {node: [] for column in columns for node in column}
    for source, target in edges:
        near[source].append(target)
        near[target].append(source)
    rows = {node: float(row) for column in columns for row, node in enumerate(column)}
    tallest = max(map(len, columns), default=0)
    for sweep in range(SWEEPS):
        for column in columns if sweep % 2 == 0 else reversed(columns):
            means = {n: sum(rows[o] for o in near[n]) / len(near[n]) if near[n] else rows[n] for n in column}
            column.sort(key=lambda node: (means[node], node))
            rows |= {node: row + (tallest - len(column)) / 2 for row, node in enumerate(column)}
    return {node: (number, rows[node]) for number, column in enumerate(columns) for node in column}


def curve(source: tuple[int, int], target: tuple[int, int]) -> str:
    """Return a curve from one point to another on its right, as a path of SVG."""
    (x1, y1), (x2, y2) = source, target
    middle = (x1 + x2) // 2
    return f"M{x1} {y1}C{middle} {y1} {middle} {y2} {x2} {y2}"

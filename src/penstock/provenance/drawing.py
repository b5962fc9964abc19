"""The graph as SVG, without any program: data flow from left to right, in the colours of W3C PROV."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape

from penstock.display import count, show_bytes
from penstock.errors import DefinitionError
from penstock.provenance.model import Activity, Entity, Trace
from penstock.provenance.names import plain

MOST = 400  # nodes above which nobody can read it
WIDTH, HEIGHT, GAP, ROW, MARGIN = 250, 46, 70, 62, 20
LETTERS = 34  # of a line in a box
SWEEPS = 4  # over the columns, to have fewer lines cross
ENTITY, ACTIVITY, FAILED, LINE = "#fffc87", "#9fb1fc", "#fcb1a8", "#555"

Edges = Sequence[tuple[str, str]]
Places = Mapping[str, tuple[int, int]]


def write_svg(trace: Trace) -> str:
    """Return the drawing; plans and agents are left to the other formats.

    Raises DefinitionError if there is too much to be drawn.
    """
    nodes: dict[str, Entity | Activity] = {e.id: e for e in trace.entities if e.kind != "plan"}
    nodes |= {a.id: a for a in trace.activities}
    if len(nodes) > MOST:
        raise DefinitionError(
            f"a drawing of {count(len(nodes), 'node')} cannot be read: leave out --steps, name one --stage, or a part of"
            f" {trace.subject}"
        )
    edges = [
        (link.object, link.subject) for link in trace.links if link.relation in ("used", "wasGeneratedBy")
    ]
    places = placed(columns_of(list(nodes), edges), edges)
    width = max((x for x, _ in places.values()), default=0) + WIDTH + MARGIN
    height = max((y for _, y in places.values()), default=0) + HEIGHT + MARGIN
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    style = ' font-family="sans-serif" font-size="13">'
    title = f"<title>{escape(plain(f'{trace.campaign}: {trace.subject}'))}</title>"
    ground = f'<rect width="{width}" height="{height}" fill="white"/>'
    lines = [line(places[a], places[b]) for a, b in edges]
    boxes = [box(node, places[id]) for id, node in nodes.items()]
    return "\n".join([head + style, title, ground, *lines, *boxes, "</svg>", ""])


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


def placed(columns: list[list[str]], edges: Edges) -> dict[str, tuple[int, int]]:
    """Return the place of each node: in each column those are near that belong to near ones."""
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
    return {
        node: (MARGIN + number * (WIDTH + GAP), MARGIN + round(rows[node] * ROW))
        for number, column in enumerate(columns)
        for node in column
    }


def line(source: tuple[int, int], target: tuple[int, int]) -> str:
    """Draw a curve from the right of one box to the left of another."""
    x1, y1 = source[0] + WIDTH, source[1] + HEIGHT // 2
    x2, y2 = target[0], target[1] + HEIGHT // 2
    middle = (x1 + x2) // 2
    return f'<path d="M{x1} {y1} C{middle} {y1} {middle} {y2} {x2} {y2}" fill="none" stroke="{LINE}" stroke-opacity=".6"/>'


def box(node: Entity | Activity, place: tuple[int, int]) -> str:
    """Draw a node with two lines of text; the whole of its name shows when pointed at."""
    x, y = place
    round_, colour = (HEIGHT // 2, ENTITY) if isinstance(node, Entity) else (4, ACTIVITY)
    if isinstance(node, Activity) and node.outcome not in (None, "ok"):
        colour = FAILED
    frame = f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="{round_}" fill="{colour}" stroke="{LINE}"/>'
    middle = x + WIDTH // 2
    texts = [
        f'<text x="{middle}" y="{y + at}" text-anchor="middle"{style}>{escape(shortened(text))}</text>'
        for text, at, style in (
            (plain(node.label), 19, ""),
            (second_line(node), 36, ' font-size="11" fill="#333"'),
        )
        if text
    ]
    return f"<g><title>{escape(plain(node.label))}</title>{frame}{''.join(texts)}</g>"


def second_line(node: Entity | Activity) -> str:
    """Return what is said below a name."""
    return ", ".join(remarks(node))


def remarks(node: Entity | Activity) -> Iterator[str]:
    """Yield what is told of a node in short."""
    if isinstance(node, Activity):
        if node.outcome:
            yield node.outcome
        failed = sum(
            value
            for name, value in node.details.items()
            if name.startswith("attempts_") and name != "attempts_ok" and isinstance(value, int)
        )
        if failed:
            yield count(failed, "failed attempt")
        return
    if node.kind == "collection":
        yield count(int(node.details["members"]), "file")
    if node.bytes is not None:
        yield show_bytes(node.bytes)
    if node.sha256:
        yield node.sha256[:8]


def shortened(text: str) -> str:
    """Leave out the middle of a long text.

    >>> shortened("a" * 30 + "/" + "b" * 30)
    'aaaaaaaaaaaaaaaa…bbbbbbbbbbbbbbbbb'
    """
    text = " ".join(text.split())
    half = (LETTERS - 1) // 2
    return text if len(text) <= LETTERS else f"{text[:half]}…{text[half + 1 - LETTERS :]}"

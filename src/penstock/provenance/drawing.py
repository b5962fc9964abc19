"""The graph as SVG, without any program: data flow from left to right, in the colours of W3C PROV."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from penstock.display import count, show_bytes
from penstock.errors import DefinitionError
from penstock.layout import arrange, curve
from penstock.provenance.model import Activity, Entity, Trace
from penstock.provenance.names import plain

MOST = 400  # nodes above which nobody can read it
WIDTH, HEIGHT, GAP, ROW, MARGIN = 250, 46, 70, 62, 20
LETTERS = 34  # of a line in a box
ENTITY, ACTIVITY, FAILED, LINE = "#fffc87", "#9fb1fc", "#fcb1a8", "#555"


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
    places = {
        node: (MARGIN + column * (WIDTH + GAP), MARGIN + round(row * ROW))
        for node, (column, row) in arrange(list(nodes), edges).items()
    }
    width = max((x for x, _ in places.values()), default=0) + WIDTH + MARGIN
    height = max((y for _, y in places.values()), default=0) + HEIGHT + MARGIN
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    style = ' font-family="sans-serif" font-size="13">'
    title = f"<title>{escape(plain(f'{trace.campaign}: {trace.subject}'))}</title>"
    ground = f'<rect width="{width}" height="{height}" fill="white"/>'
    lines = [line(places[a], places[b]) for a, b in edges]
    boxes = [box(node, places[id]) for id, node in nodes.items()]
    return "\n".join([head + style, title, ground, *lines, *boxes, "</svg>", ""])


def line(source: tuple[int, int], target: tuple[int, int]) -> str:
    """Draw a curve from the right of one box to the left of another."""
    path = curve((source[0] + WIDTH, source[1] + HEIGHT // 2), (target[0], target[1] + HEIGHT // 2))
    return f'<path d="{path}" fill="none" stroke="{LINE}" stroke-opacity=".6"/>'


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

"""The graph of the stages of a definition, as Mermaid or SVG."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from penstock.campaign import Campaign, Stage
from penstock.graph import Edge, build
from penstock.layout import arrange, curve

BOX_W, BOX_H, GAP_W, GAP_H, MARGIN = 200, 48, 60, 20, 10
LETTERS = 24  # of a name in a box
UNSAFE = '"#&;<>'  # in labels of Mermaid
FILL, FRAME, LINE = "#f3f6fb", "#6b7a90", "#6b7a90"


def stages_of(campaign: Campaign, *, closing: bool = False) -> list[Stage]:
    """Return the stages that are drawn; steps of closings only if that is asked for."""
    return [stage for stage in campaign.stages if closing or not stage.closing]


def edges_between(campaign: Campaign, stages: Sequence[Stage]) -> list[Edge]:
    """Return which of these stages wait for which."""
    names = {stage.name for stage in stages}
    graph = build(campaign, {stage.name: number for number, stage in enumerate(campaign.stages, 1)})
    return [
        edge
        for stage in stages
        for edge in graph.upstreams[stage.name]
        if edge.up in names and not edge.expander
    ]


def write_mermaid(campaign: Campaign, *, closing: bool = False) -> str:
    """Return a flowchart in Mermaid's language, which forges and notebooks draw."""
    stages = stages_of(campaign, closing=closing)
    numbers = {stage.name: f"s{number}" for number, stage in enumerate(stages, 1)}
    boxes = [f'  {numbers[s.name]}["{quoted(s.name)}<br>{quoted(each(campaign, s))}"]' for s in stages]
    arrows = [
        f"  {numbers[edge.up]} {'-.->' if edge.optional else '-->'}{told(campaign, edge)} {numbers[edge.down]}"
        for edge in edges_between(campaign, stages)
    ]
    return "\n".join(["flowchart LR", *boxes, *arrows, ""])


def write_svg(campaign: Campaign, *, closing: bool = False) -> str:
    """Return a drawing, of data flow from left to right."""
    stages = stages_of(campaign, closing=closing)
    edges = edges_between(campaign, stages)
    arranged = arrange([s.name for s in stages], [(edge.up, edge.down) for edge in edges])
    places = {
        name: (MARGIN + column * (BOX_W + GAP_W), MARGIN + round(row * (BOX_H + GAP_H)))
        for name, (column, row) in arranged.items()
    }
    width = max((x for x, _ in places.values()), default=0) + BOX_W + MARGIN
    height = max((y for _, y in places.values()), default=0) + BOX_H + MARGIN
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    style = ' font-family="sans-serif" font-size="13">'
    lines = [line(edge, *places[edge.up], *places[edge.down]) for edge in edges]
    boxes = [text for stage in stages for text in box(campaign, stage, *places[stage.name])]
    return "\n".join([head + style, f"<title>{escape(campaign.name)}</title>", *lines, *boxes, "</svg>", ""])


def each(campaign: Campaign, stage: Stage) -> str:
    """Say what a stage works on."""
    level = campaign.levels[stage.level - 1] if stage.level else "campaign"
    made = f", makes {campaign.levels[stage.expands - 1]}s" if stage.expands else ""
    return f"each {level}{made}"


def told(campaign: Campaign, edge: Edge) -> str:
    """Return what stands at an arrow of Mermaid: whether tasks follow those of the other stage in the same worker."""
    return "|with|" if campaign.stage(edge.down).follows == edge.up else ""


def quoted(text: str) -> str:
    """Write a text as it stands between quotes in Mermaid."""
    return "".join(f"#{ord(letter)};" if letter in UNSAFE else letter for letter in text)


def line(edge: Edge, x1: int, y1: int, x2: int, y2: int) -> str:
    """Draw a curve from the right of one box to the left of another, dashed where the other is optional."""
    path = curve((x1 + BOX_W, y1 + BOX_H // 2), (x2, y2 + BOX_H // 2))
    dashes = ' stroke-dasharray="5 4"' if edge.optional else ""
    return f'<path d="{path}" fill="none" stroke="{LINE}"{dashes}/>'


def box(campaign: Campaign, stage: Stage, x: int, y: int) -> Iterator[str]:
    """Draw a stage with two lines of text; the whole of its name shows when pointed at."""
    name = stage.name if len(stage.name) <= LETTERS else f"{stage.name[: LETTERS - 1]}…"
    yield f"<g><title>{escape(stage.name)}</title>"
    yield f'<rect x="{x}" y="{y}" width="{BOX_W}" height="{BOX_H}" rx="6" fill="{FILL}" stroke="{FRAME}"/>'
    yield f'<text x="{x + 12}" y="{y + 20}">{escape(name)}</text>'
    yield f'<text x="{x + 12}" y="{y + 37}" font-size="11" fill="#445">{escape(each(campaign, stage))}</text></g>'

"""The page of a campaign: each source with its maps, its regions in a table, and each region's picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from penstock.workflows.reports.page import write_page

HEAD = ("region", "steps", "cells", "D (µm²/s)", "depth of V (kT)", "flagged", "inference")
TRUE = ("D off", "V off (kT rms)")
BODY = """
{% for each, lines in shown %}<h2>{{ each.source }}</h2>
{% if each.whole %}<figure><img src="{{ each.whole|urlencode }}" alt="maps of {{ each.source }}"></figure>{% endif %}
<div class="scroll"><table><tr>{% for word in head %}<th>{{ word }}</th>{% endfor %}</tr>
{% for cells, good in lines %}<tr>{% for text in cells %}
<td{% if loop.last and not good %} class="warning"{% endif %}>{{ text }}</td>{% endfor %}</tr>
{% endfor %}{% for name, why in each.failed.items() %}<tr><td>{{ name }}</td>
<td class="left" colspan="{{ head|length - 1 }}">{{ why }}</td></tr>
{% endfor %}</table></div>
{% for name, picture in each.pictures.items() %}<figure id="{{ each.source }}/{{ name }}">
<img src="{{ picture|urlencode }}" alt="{{ each.source }}/{{ name }}" loading="lazy"></figure>
{% endfor %}{% endfor %}"""


@dataclass(frozen=True, slots=True)
class Shown:
    """A source: the numbers of its regions, why others have none, and pictures as seen from the page."""

    source: str
    rows: Mapping[str, Mapping[str, Any]]
    failed: Mapping[str, str]
    whole: str | None  # the picture of all its regions
    pictures: Mapping[str, str]


def write_overview(path: Path, shown: Sequence[Shown]) -> None:
    """Write the page."""
    compared = any("diffusivity_bias" in row for each in shown for row in each.rows.values())
    facts = [
        ("sources", len(shown)),
        ("regions with maps", sum(len(each.rows) for each in shown)),
        ("regions without", sum(len(each.failed) for each in shown)),
    ]
    head = (*HEAD[:-1], *(TRUE if compared else ()), HEAD[-1])
    given = [(each, _lines(each, compared)) for each in shown]
    write_page(path, BODY, title="Maps of trajectories", facts=facts, shown=given, head=head)


def _lines(shown: Shown, compared: bool) -> list[tuple[list[str], bool]]:
    return [(_line(name, row, compared), row["reason"] == "converged") for name, row in shown.rows.items()]


def _line(name: str, row: Mapping[str, Any], compared: bool) -> list[str]:
    depth = f"{row['depth']:.2f}" if "depth" in row else ""
    numbers = [
        f"{row['steps']:,}",
        f"{row['cells']}",
        f"{row['diffusivity']:.4g}",
        depth,
        f"{row['flagged']}",
    ]
    truth = []
    if compared:
        off, rms = row.get("diffusivity_bias"), row.get("potential_rms")
        truth = ["" if off is None else f"{off:+.1%}", "" if rms is None else f"{rms:.2f}"]
    return [name, *numbers, *truth, row["reason"]]

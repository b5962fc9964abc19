"""The page of a run's data check: what went how from subrun to subrun, and maps of the camera."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from penstock.workflows.reports.figure import entitle, write_figure
from penstock.workflows.reports.page import write_page
from penstock.workflows.telescope.toy.check import MAPS, Check
from penstock.workflows.telescope.toy.display import draw_camera

#: figures: file → title, unit, columns
CURVES: dict[str, tuple[str, str, Sequence[str]]] = {
    "rate": ("Triggers", "events/s", ["rate"]),
    "pedestal": ("Charge of pedestals: mean and rms", "pe", ["pedestal_mean", "pedestal_rms"]),
    "flatfield": ("Charge of flat fields", "pe", ["flatfield_mean"]),
    "charge": ("Charge of the data, a pixel", "pe", ["charge_mean"]),
    "pointing": ("Pointing, from its mean", "degrees", ["altitude", "azimuth"]),
    "muons": ("Radius of muon rings", "degrees", ["ring_radius"]),
}
COLUMNS = (
    *("run_id", "subrun_id", "events", "pedestals", "flatfields", "muons", "rate", "pedestal_mean"),
    *("pedestal_rms", "flatfield_mean", "charge_mean", "altitude", "azimuth", "ring_radius", "ring_size"),
)
BODY = """{% if told %}<ul>{% for each in told %}<li>{{ each }}</li>{% endfor %}</ul>{% endif %}
{% for heading, shown in sections %}<h2>{{ heading }}</h2><div class="grid">
{% for caption, link in shown %}<figure><a href="{{ link }}"><img src="{{ link }}" alt="{{ caption }}"></a>
<figcaption>{{ caption }}</figcaption></figure>{% endfor %}</div>{% endfor %}
<h2>Subruns</h2><div class="scroll"><table><tr>{% for name in columns %}<th>{{ name }}</th>{% endfor %}</tr>
{% for row in rows %}<tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>{% endfor %}</table></div>"""


def draw_maps(check: Check, folder: Path) -> list[tuple[str, str]]:
    """Draw the maps of the camera into a folder, which is made; gives their captions and files."""
    folder.mkdir(exist_ok=True)
    drawn: list[tuple[str, str]] = []
    for name, (unit, of) in MAPS.items():
        caption = f"{name.replace('_', ' ')}: {int(check.rows[of].sum())} {of}"
        draw_camera(check.maps[name], folder / f"{name}.png", caption, unit)
        drawn.append((caption, f"{name}.png"))
    return drawn


def write_check_page(path: Path, check: Check, title: str, *, folder: Path) -> None:
    """Write the page, and its pictures into `folder`, which is beside it."""
    maps = draw_maps(check, folder)
    curves: list[tuple[str, str]] = []
    for name, (caption, unit, columns) in CURVES.items():
        _draw_curves(check, folder / f"{name}.png", caption, unit, columns)
        curves.append((caption, f"{name}.png"))
    sections = [
        (heading, [(caption, f"{folder.name}/{file}") for caption, file in shown])
        for heading, shown in (("Subrun by subrun", curves), ("Over the camera", maps))
    ]
    rows = [[_told(row[name]) for name in COLUMNS] for row in check.rows]
    facts = [*_facts(check)]
    write_page(
        path,
        BODY,
        title=title,
        facts=facts,
        told=_missing(check),
        sections=sections,
        columns=COLUMNS,
        rows=rows,
    )


def _draw_curves(check: Check, path: Path, title: str, unit: str, columns: Sequence[str]) -> None:
    place = np.arange(len(check.rows))

    def paint(figure: Any, axes: Any) -> None:
        for name in columns:
            values = check.rows[name].astype(float)
            if unit == "degrees" and len(columns) > 1 and np.isfinite(values).any():
                values = values - np.nanmean(values)
            axes.plot(place, values, "o-", ms=3, lw=1, label=name.replace("_", " "))
        axes.set(xlabel="subrun, in order", ylabel=unit)
        axes.locator_params(axis="x", integer=True)
        entitle(axes, title)
        if len(columns) > 1:
            axes.legend(fontsize=8, frameon=False)

    write_figure((6.4, 3.0), path, paint)


def _facts(check: Check) -> list[tuple[str, Any]]:
    rows = check.rows
    starts = rows["start"][np.isfinite(rows["start"])]
    begun = (
        f"{datetime.fromtimestamp(float(starts.min()), UTC):%Y-%m-%d %H:%M:%S} UTC" if len(starts) else "–"
    )
    totals = [(name, int(rows[name].sum())) for name in ("events", "pedestals", "flatfields", "muons")]
    return [("camera", check.about.get("camera", "–")), ("begun", begun), ("subruns", len(rows)), *totals]


def _missing(check: Check) -> list[str]:
    """Say what there is none of in the run."""
    names = {"events": "events", "pedestals": "pedestals", "flatfields": "flat fields", "muons": "muon rings"}
    return [f"The run has no {told}." for name, told in names.items() if not check.rows[name].sum()]


def _told(value: Any) -> str:
    if isinstance(value, np.integer):
        return str(value)
    return "–" if np.isnan(value) else f"{value:.4g}"

"""The page of a run: what was found, how many pixels have which bit, where they are. No scripts, no network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from penstock.workflows.detector.bits import BITS, count_bits
from penstock.workflows.detector.pictures import (
    draw_histogram,
    draw_panel,
    draw_status,
    kinds_of,
    panels_of,
    span_of,
)
from penstock.workflows.detector.settings import MODES
from penstock.workflows.detector.status import Judged
from penstock.workflows.reports.page import write_page

PANELS = 16  # of which the page shows pictures; more are drawn and linked

BODY = """{% if why %}<p><strong>{{ why }}</strong></p>{% endif %}
{% if told %}<h2>About the frames</h2><ul>{% for each in told %}<li>{{ each }}</li>{% endfor %}</ul>{% endif %}
{% if bits %}<h2>Bad pixels</h2>
<table><tr><th>bit</th><th>name</th><th>pixels</th><th>meaning</th></tr>
{% for bit, count in bits %}<tr><td>{{ bit.value }}</td><td>{{ bit.name }}</td><td>{{ count }}</td>
<td>{{ bit.meaning }}</td></tr>{% endfor %}</table>
<p>A pixel may have several bits; its status is their sum.</p>{% endif %}
{% for heading, shown in sections if shown %}<h2>{{ heading }}</h2>
{% for caption, link in shown %}<figure><a href="{{ link }}"><img src="{{ link }}" alt="{{ caption }}"></a>
<figcaption>{{ caption }}</figcaption></figure>{% endfor %}{% endfor %}
{% if others %}<p>More panels: {% for caption, link in others %}<a href="{{ link }}">{{ caption }}</a>
{% endfor %}</p>{% endif %}"""

Shown = list[tuple[str, str]]


def write_run_page(
    path: Path,
    judged: Judged,
    title: str,
    *,
    folder: Path,
    facts: Mapping[str, Any],
    told: Sequence[str] = (),
) -> None:
    """Write the page of a run, and its pictures in `folder`, which is beside the page and is made.

    A picture a panel of status, mean and rms, and histograms with the limits.
    """
    folder.mkdir(exist_ok=True)
    drawn = {name: [*_panels(judged, name, folder)] for name in ("status", "ave", "rms")}
    curves = [_histogram(judged, name, folder) for name in ("ave", "rms")]
    sections = [
        ("Where they are", drawn["status"][:PANELS]),
        ("How means and rms are distributed", curves),
        ("Mean of each pixel; bad ones are white", drawn["ave"][:PANELS]),
        ("Rms of each pixel", drawn["rms"][:PANELS]),
    ]
    counts = count_bits(judged.status) if judged.status is not None else {}
    values = {
        "why": judged.why,
        "told": told,
        "bits": [(bit, counts[bit.name]) for bit in BITS if counts],
        "sections": [(heading, _linked(shown, folder)) for heading, shown in sections],
        "others": _linked([each for shown in drawn.values() for each in shown[PANELS:]], folder),
    }
    write_page(path, BODY, title=title, facts=[*facts.items(), *_facts(judged)], **values)


def _linked(shown: Shown, folder: Path) -> Shown:
    return [(caption, f"{folder.name}/{name}") for caption, name in shown]


def _panels(judged: Judged, name: str, folder: Path) -> Iterator[tuple[str, str]]:
    """Draw each panel; give its caption and its file."""
    array = judged.arrays().get(name)
    if array is None:
        return
    goods = dict(panels_of(judged.mask)) if judged.mask is not None else {}
    span, kinds = span_of(array, judged.mask), kinds_of(array) if name == "status" else []
    for place, panel in panels_of(array):
        file = f"{name}{f'-{place}' if place else ''}.png"
        caption = f"{'mean' if name == 'ave' else name}{f', panel {place}' if place else ''}"
        if name == "status":
            bad = int(np.count_nonzero(panel))
            caption += f": {bad} bad pixel{'s' * (bad != 1)}"
            draw_status(panel, folder / file, caption, kinds=kinds)
        else:
            draw_panel(panel, folder / file, caption, good=goods.get(place), span=span)
        yield caption, file


def _histogram(judged: Judged, name: str, folder: Path) -> tuple[str, str]:
    draw_histogram(judged, name, folder / f"{name}-histogram.png")
    return f"{'mean' if name == 'ave' else name}; dashed: the limits of a good pixel", f"{name}-histogram.png"


def _facts(judged: Judged) -> list[tuple[str, str]]:
    mode = judged.settings.mode
    found = [("frames", f"{judged.frames} that count"), ("mode", f"{mode}: {MODES[mode]}")]
    if judged.mask is None or judged.limits is None:
        return found
    bad = int(np.count_nonzero(judged.mask == 0))
    share = f"{bad} of {judged.mask.size} ({judged.fraction:.3%})"
    named = zip(
        ("limits of the rms", "limits of the mean"), (judged.limits.rms, judged.limits.mean), strict=True
    )
    return [
        *found,
        ("bad pixels", share),
        *((name, f"{low:.6g} … {high:.6g}") for name, (low, high) in named),
    ]

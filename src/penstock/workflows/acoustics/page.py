"""HTML: the quality report, and one page with every picture. No scripts, no network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment

from penstock.workflows.acoustics.calibration import read_calibration
from penstock.workflows.acoustics.qc import KINDS
from penstock.workflows.acoustics.recordings import Dataset, Recording
from penstock.workflows.acoustics.settings import Settings
from penstock.workflows.acoustics.tables import count_findings, describe_dataset, iso, verdict

MOST_PICTURES = 2000  # on one page; browsers load them only when they come into view

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto;
  max-width: 1180px; padding: 0 1rem; color: #222 }
h1 { font-size: 1.6rem } h2 { font-size: 1.2rem; margin-top: 2.2rem }
table { border-collapse: collapse; font-size: 13px; width: 100% }
td, th { text-align: left; padding: .25rem .7rem .25rem 0; border-bottom: 1px solid #ddd;
  vertical-align: top }
td.good { color: #1a7f37 } td.warning { color: #9a6700 } td.left { color: #cf222e }
td.forced { color: #8250df }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1.2rem }
dt { color: #666 } dd { margin: 0 }
figure { margin: 0 0 1.4rem } img { max-width: 100%; height: auto; display: block;
  border: 1px solid #eee }
figcaption { font-size: 13px; color: #555 } .scroll { overflow-x: auto }
"""

FRAME = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{{ title }}</title><style>{{ style }}</style></head><body>
<h1>{{ title }}</h1>
{% macro findings(rows) %}<div class="scroll"><table>
<tr><th>file</th><th>begin (UTC)</th><th>verdict</th><th>why</th></tr>
{% for row in rows %}<tr><td>{{ row.name }}</td><td>{{ row.begin }}</td>
<td class="{{ row.verdict.split()[0] }}">{{ row.verdict }}</td><td>{{ row.why }}</td></tr>
{% endfor %}</table></div>{% endmacro %}
<dl>{% for name, value in facts %}<dt>{{ name }}</dt><dd>{{ value }}</dd>{% endfor %}</dl>
"""

QC = (
    FRAME
    + """<h2>Findings</h2>
{% if counts %}<table><tr><th>kind</th><th>files</th><th>meaning</th></tr>
{% for kind, count in counts %}<tr><td>{{ kind }}</td><td>{{ count }}</td><td>{{ kinds[kind] }}</td></tr>
{% endfor %}</table>{% else %}<p>None.</p>{% endif %}
<h2>Every file</h2>{{ findings(rows) }}
</body></html>
"""
)

INDEX = (
    FRAME
    + """{% if average %}<h2>Long-term average</h2>
<figure><a href="{{ average }}"><img src="{{ average }}" alt="long-term average"></a>
<figcaption>Mean of linear power per time bin; grey is no data.</figcaption></figure>{% endif %}
{% if whole %}<h2>Levels</h2>
{% for caption, link in whole %}<figure><a href="{{ link }}"><img src="{{ link }}" alt="{{ caption }}"></a>
<figcaption>{{ caption }}</figcaption></figure>{% endfor %}{% endif %}
<h2>Quality</h2>
{% if rows %}{{ findings(rows) }}{% else %}<p>Nothing was found.</p>{% endif %}
<p><a href="{{ qc }}">The whole quality report</a>: a row a file.</p>
<h2>Spectrograms</h2>
{% if left_off %}<p>The first {{ pictures | length }}; {{ left_off }} more lie beside them.</p>
{% endif %}
{% for name, link in pictures %}<figure><a href="{{ link }}">
<img loading="lazy" src="{{ link }}" alt="{{ name }}"></a>
<figcaption>{{ name }}</figcaption></figure>
{% endfor %}
</body></html>
"""
)


@dataclass(frozen=True, slots=True)
class Links:
    """Where the page's pictures are, relative to the page."""

    qc: str
    average: str | None
    pictures: Sequence[tuple[str, str]]  # name, link
    whole: Sequence[tuple[str, str]] = ()  # caption, link


def write_qc_page(path: Path, dataset: Dataset, settings: Settings, title: str) -> None:
    rows = [_row(each, settings) for each in dataset.recordings]
    values = {"counts": list(count_findings(dataset).items()), "kinds": KINDS, "rows": rows}
    _write(path, QC, dataset, settings, title=f"Quality of {title}", **values)


def write_index(path: Path, dataset: Dataset, settings: Settings, links: Links, title: str) -> None:
    rows = [_row(each, settings) for each in dataset.recordings if each.findings]
    shown, hidden = links.pictures[:MOST_PICTURES], len(links.pictures) - MOST_PICTURES
    values = {
        "rows": rows,
        "qc": links.qc,
        "average": links.average,
        "pictures": shown,
        "whole": links.whole,
        "left_off": max(0, hidden),
    }
    _write(path, INDEX, dataset, settings, title=title, **values)


def _write(path: Path, template: str, dataset: Dataset, settings: Settings, **values: Any) -> None:
    page = Environment(autoescape=True).from_string(template)
    text = page.render(style=STYLE, facts=_facts(dataset, settings), **values)
    path.write_text(text, encoding="utf-8", errors="xmlcharrefreplace")


def _row(recording: Recording, settings: Settings) -> dict[str, str]:
    why = "; ".join(each.why for each in (*recording.faults, *recording.warnings))
    judged = verdict(recording, force=settings.force)
    return {"name": recording.name, "begin": iso(recording.begin), "verdict": judged, "why": why}


def _facts(dataset: Dataset, settings: Settings) -> list[tuple[str, str]]:
    facts = describe_dataset(dataset, settings)
    hours, share, size = facts["recorded_s"] / 3600, facts["duty_cycle_percent"] or 0, facts["bytes"] / 1e6
    return [
        ("recordings", f"{facts['recordings']}, of which {facts['used']} are used"),
        ("from … to", f"{facts['begin']} … {facts['end']}"),
        ("recorded", f"{hours:.3f} h ({share:.1f} % of the time), {size:.1f} MB"),
        ("form", f"{facts['sample_rate']} Hz, {facts['channels']} channel(s), {facts['bits']} bits"),
        ("frames", f"{settings.nfft} samples, hop {settings.hop}, window {settings.window}"),
        ("calibration", read_calibration(settings).source),
    ]

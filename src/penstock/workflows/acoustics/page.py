"""HTML: the quality report, and one page with every picture. No scripts, no network."""

from __future__ import annotations

import csv
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

from penstock.workflows.acoustics.albums import Album
from penstock.workflows.acoustics.calibration import read_calibration
from penstock.workflows.acoustics.qc import KINDS
from penstock.workflows.acoustics.recordings import Dataset, Recording
from penstock.workflows.acoustics.settings import Settings
from penstock.workflows.acoustics.tables import count_findings, describe_dataset, iso, say_channels, verdict
from penstock.workflows.reports.page import write_page

MOST_ROWS = 200  # of files with findings, on the first page

FINDINGS = """{% macro findings(rows) %}<div class="scroll"><table>
<tr><th>file</th><th>begin (UTC)</th><th>verdict</th><th>why</th></tr>
{% for row in rows %}<tr><td>
{% if row.link %}<a href="{{ row.link }}">{{ row.name }}</a>{% else %}{{ row.name }}{% endif %}</td>
<td>{{ row.begin }}</td>
<td class="{{ row.verdict.split()[0] }}">{{ row.verdict }}</td><td>{{ row.why }}</td></tr>
{% endfor %}</table></div>{% endmacro %}
"""

QC = (
    FINDINGS
    + """<h2>Findings</h2>
{% if counts %}<table><tr><th>kind</th><th>files</th><th>meaning</th></tr>
{% for kind, count in counts.items() %}<tr><td>{{ kind }}</td><td>{{ count }}</td><td>{{ kinds[kind] }}</td></tr>
{% endfor %}</table>{% else %}<p>None.</p>{% endif %}
<h2>Every file</h2>{{ findings(rows) }}"""
)

INDEX = (
    FINDINGS
    + """{% if average %}<h2>Long-term average</h2>
<figure><a href="{{ average }}"><img src="{{ average }}" alt="long-term average"></a>
<figcaption>Mean of linear power per time bin. Light grey: nothing was recorded. Dark grey: recorded, and left out.
</figcaption></figure>{% endif %}
{% if whole %}<h2>Levels</h2>
{% for caption, link in whole %}<figure><a href="{{ link }}"><img src="{{ link }}" alt="{{ caption }}"></a>
<figcaption>{{ caption }}</figcaption></figure>{% endfor %}{% endif %}
<h2>Quality</h2>
{% if counts %}<table><tr><th>kind</th><th>files</th><th>meaning</th></tr>
{% for kind, count in counts.items() %}<tr><td>{{ kind }}</td><td>{{ count }}</td><td>{{ kinds[kind] }}</td></tr>
{% endfor %}</table>{{ findings(rows) }}{% else %}<p>Nothing was found.</p>{% endif %}
<p>{% if hidden %}{{ hidden }} more files have findings. {% endif %}<a href="{{ qc }}">The whole quality report</a>:
a row a file.</p>
<h2>Spectrograms</h2>
<p>{{ colours }}</p>
{% if albums %}<table><tr><th>day (UTC)</th><th>pictures</th></tr>
{% for album, link in albums %}<tr><td><a href="{{ link }}">{{ album.title }}</a></td><td>{{ album.pictures | length }}</td></tr>
{% endfor %}</table>{% else %}<p>None was made.</p>{% endif %}"""
)


@dataclass(frozen=True)
class Quality:
    """What the quality report says: the dataset summed up, and of each file name, begin, verdict and why."""

    facts: Mapping[str, Any]
    rows: Sequence[Mapping[str, Any]]

    @classmethod
    def read(cls, dataset: Path, table: Path) -> Quality:
        """Read it from dataset.json and qc.csv."""
        with table.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            rows = [
                {name: row[name] for name in ("name", "begin", "verdict")}
                | {"stem": os.path.splitext(row["name"])[0]}
                | {"why": "; ".join(filter(None, (row["faults"], row["warnings"])))}
                for row in csv.DictReader(file)
            ]
        return cls(json.loads(dataset.read_text("utf-8")), rows)

    def why(self, stem: str) -> str:
        """Give what was found in the one recording of this name; nothing if two cards have one each."""
        return self._whys.get(stem, "")

    @cached_property
    def _whys(self) -> dict[str, str]:
        counts = Counter(row["stem"] for row in self.rows)
        return {row["stem"]: row["why"] for row in self.rows if counts[row["stem"]] == 1}


@dataclass(frozen=True, slots=True)
class Links:
    """Where what the page shows lies, relative to it."""

    qc: str
    average: str | None
    albums: Sequence[tuple[Album, str]]
    whole: Sequence[tuple[str, str]] = ()  # caption, link


def write_qc_page(path: Path, dataset: Dataset, settings: Settings, title: str) -> None:
    rows = [_row(each, settings) for each in dataset.recordings]
    values = {"counts": count_findings(dataset), "kinds": KINDS, "rows": rows}
    facts = _facts(describe_dataset(dataset, settings), settings)
    write_page(path, QC, title=f"Quality of {title}", facts=facts, **values)


def write_index(path: Path, found: Quality, settings: Settings, links: Links, title: str) -> None:
    places = {p.name: f"{link}#{quote(p.name)}" for album, link in links.albums for p in album.pictures}
    odd = [row for row in found.rows if row["why"]]
    values = {
        "rows": [row | {"link": places.get(row["stem"])} for row in odd[:MOST_ROWS]],
        "hidden": max(0, len(odd) - MOST_ROWS),
        "counts": found.facts["findings"],
        "kinds": KINDS,
        "qc": links.qc,
        "average": links.average,
        "albums": links.albums,
        "whole": links.whole,
        "colours": say_colours(settings),
    }
    write_page(path, INDEX, title=title, facts=_facts(found.facts, settings), **values)


def say_colours(settings: Settings) -> str:
    """Say whether colours mean the same in all pictures."""
    if settings.db_range is None:
        return "Colours span other levels in each picture, as its scale says: compare numbers, not colours."
    low, high = settings.db_range
    return f"Colours span {low:g} to {high:g} dB in all spectrograms and in the long-term average."


def _row(recording: Recording, settings: Settings) -> dict[str, Any]:
    why = "; ".join(each.why for each in (*recording.faults, *recording.warnings))
    judged = verdict(recording, force=settings.force)
    return {"name": recording.name, "begin": iso(recording.begin), "verdict": judged, "why": why}


def _facts(facts: Mapping[str, Any], settings: Settings) -> list[tuple[str, str]]:
    hours, share, size = facts["recorded_s"] / 3600, facts["duty_cycle_percent"] or 0, facts["bytes"] / 1e6
    channels = say_channels(facts["channels"])
    return [
        ("recordings", f"{facts['recordings']}, of which {facts['used']} are used"),
        ("from … to", f"{facts['begin']} … {facts['end']}"),
        ("recorded", f"{hours:.3f} h ({share:.1f} % of the time), {size:.1f} MB"),
        ("form", f"{facts['sample_rate']} Hz, {channels}, {facts['bits']} bits"),
        ("frames", f"{settings.nfft} samples, hop {settings.hop}, window {settings.window}"),
        ("calibration", read_calibration(settings).source),
    ]

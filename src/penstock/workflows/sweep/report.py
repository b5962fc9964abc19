"""What people look at when a sweep has run: a table, and a page with pictures and averages for each number."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from penstock.runner.task import Task
from penstock.workflows.sweep.pictures import pictures_of, surface_of, write_pictures
from penstock.workflows.sweep.results import Results, gather_results, misread
from penstock.workflows.sweep.tablefile import write_csv

BODY = """
{% for each in sections %}<h2>{{ each.title }}</h2>
{% for picture in each.pictures %}<figure><img alt="{{ picture.name }}" src="data:image/png;base64,{{ picture.data }}">
<figcaption>{{ picture.caption }}</figcaption></figure>{% endfor %}
<div class="scroll"><table><tr>{% for name in by %}<th>{{ name }}</th>{% endfor %}
<th>mean</th><th>standard error</th><th>standard deviation</th><th>n</th></tr>
{% for row in each.averages %}<tr>{% for cell in row.at %}<td>{{ cell }}</td>{% endfor %}
<td>{{ "%.6g" | format(row.mean) }}</td><td>{{ "%.2g" | format(row.error) if row.n > 1 else "" }}</td>
<td>{{ "%.2g" | format(row.deviation) if row.n > 1 else "" }}</td><td>{{ row.n }}</td></tr>{% endfor %}</table></div>
{% if each.more %}<p>… and {{ "{:,}".format(each.more) }} more</p>{% endif %}{% endfor %}
"""
SHOWN = 500  # averages on a page


def gather(task: Task) -> dict[str, Any]:
    """Write the table and the page of all points that are done (a stage of the campaign)."""
    folders = task.inputs["run"]
    if not folders:
        task.fail("no point has results: see `penstock status` for what is wrong with them")
    results = gather_results(folders[0].parents[1], folders)
    write_csv(task.product("table"), results, metadata=task.product("columns"))
    with TemporaryDirectory() as folder:
        write_report(task.product("page"), results, pictures=Path(folder), missing=len(task.missing))
    return {"points": len(results.rows), "missing": len(task.missing)}


def write_report(
    page: Path, results: Results, *, pictures: Path, by: Sequence[str] | None = None, missing: int = 0
) -> None:
    """Write the page, and its pictures into a folder: for each number the averages over what is not in `by`.

    Without `by` that is the seed: all else that varies is told apart.
    """
    from penstock.workflows.reports.page import write_page

    current = results.planned()
    by = [name for name in results.varied if name != results.seed] if by is None else by
    facts = [
        ("points", len(current.rows)),
        ("without results", missing),
        ("vary", ", ".join(by) or "nothing"),
    ]
    if dropped := len(results.rows) - len(current.rows):
        facts.append(("left out, as no more planned", dropped))
    facts += [("cannot be read", sentence) for sentence in misread(current)]
    numbers = [name for name in results.numbers if results.column(name).is_number]
    sections = [_section(current, name, by, pictures) for name in numbers]
    titles = [results.column(name).title for name in by]
    write_page(page, BODY, title="Results of the sweep", facts=facts, sections=sections, by=titles)


def _section(results: Results, name: str, by: Sequence[str], folder: Path) -> Mapping[str, Any]:
    surface = surface_of(results, name, by)
    pictures = list(pictures_of(surface))
    files = write_pictures(folder, pictures)
    shown = [{"name": p.name, "caption": p.caption, "data": _encoded(files[p.name])} for p in pictures]
    averages = surface.averages
    more = max(0, len(averages) - SHOWN)
    return {"title": surface.number.title, "pictures": shown, "averages": averages[:SHOWN], "more": more}


def _encoded(file: Path) -> str:
    return base64.b64encode(file.read_bytes()).decode()

"""What people look at when a sweep has run: a table, and a page with a picture and averages for each number."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from penstock.runner.task import Task
from penstock.workflows.sweep.results import Average, Results, average, read_results, write_results

BODY = """
{% for each in sections %}<h2>{{ each.name }}</h2>
{% if each.picture %}<figure><img alt="{{ each.name }}" src="data:image/png;base64,{{ each.picture }}"></figure>{% endif %}
<div class="scroll"><table><tr>{% for name in by %}<th>{{ name }}</th>{% endfor %}
<th>mean</th><th>standard deviation</th><th>n</th></tr>
{% for row in each.averages %}<tr>{% for cell in row.at %}<td>{{ cell }}</td>{% endfor %}
<td>{{ "%.6g" | format(row.mean) }}</td><td>{{ "%.2g" | format(row.deviation) if row.n > 1 else "" }}</td>
<td>{{ row.n }}</td></tr>{% endfor %}</table></div>{% endfor %}
"""
SIZE = (8.0, 4.5)  # inches


def gather(task: Task) -> dict[str, Any]:
    """Write the table and the page of all points that are done (a stage of the campaign)."""
    folders = task.inputs["run"]
    if not folders:
        task.fail("no point has results: see `penstock status` for what is wrong with them")
    results = read_results(folders[0].parents[1], folders)
    write_results(task.product("table"), results)
    write_report(task.product("page"), results, seed=task.params["seed"], missing=task.missing)
    return {"points": len(results.rows), "missing": len(task.missing)}


def write_report(file: Path, results: Results, *, seed: str, missing: Sequence[str] = ()) -> None:
    """Write the page: for each number its averages, over all that varies but the seed, and a picture of them."""
    from penstock.workflows.reports.page import write_page

    by = [name for name in results.varied if name != seed]
    facts = [
        ("points", len(results.rows)),
        ("without results", len(missing)),
        ("vary", ", ".join(by) or "nothing"),
    ]
    sections = [_section(results, name, by) for name in results.numbers]
    write_page(file, BODY, title="Results of the sweep", facts=facts, sections=sections, by=by)


def _section(results: Results, name: str, by: Sequence[str]) -> Mapping[str, Any]:
    averages = average(results, name, by)
    with TemporaryDirectory() as folder:
        picture = Path(folder) / "picture.png"
        drawn = draw(picture, averages, name=name, by=by)
        encoded = base64.b64encode(picture.read_bytes()).decode() if drawn else None
    return {"name": name, "averages": averages, "picture": encoded}


def draw(file: Path, averages: Sequence[Average], *, name: str, by: Sequence[str]) -> bool:
    """Draw averages over one variable as a line with standard errors, over two as a map; whether there is a picture.

    There is none over another number of variables, or over text.
    """
    from penstock.workflows.reports.figure import write_figure

    try:
        places = [tuple(map(float, each.at)) for each in averages]
    except ValueError:
        return False
    if not places or len(by) not in (1, 2):
        return False
    paint = _line(averages, places, name, by) if len(by) == 1 else _map(averages, places, name, by)
    write_figure(SIZE, file, paint)
    return True


def _line(
    averages: Sequence[Average], places: Sequence[tuple[float, ...]], name: str, by: Sequence[str]
) -> Any:
    rows = sorted(zip(places, averages, strict=True), key=lambda row: row[0])

    def paint(_figure: Any, axes: Any) -> None:
        errors = [0.0 if math.isnan(each.error) else each.error for _, each in rows]
        means = [each.mean for _, each in rows]
        axes.errorbar(
            [place[0] for place, _ in rows], means, yerr=errors, marker="o", markersize=4, capsize=3
        )
        axes.set(xlabel=by[0], ylabel=name)

    return paint


def _map(
    averages: Sequence[Average], places: Sequence[tuple[float, ...]], name: str, by: Sequence[str]
) -> Any:
    columns, rows = (sorted({place[axis] for place in places}) for axis in (0, 1))
    means = {place: each.mean for place, each in zip(places, averages, strict=True)}
    grid = [[means.get((column, row), math.nan) for column in columns] for row in rows]

    def paint(figure: Any, axes: Any) -> None:
        image = axes.imshow(grid, origin="lower", aspect="auto")
        axes.set(xlabel=by[0], ylabel=by[1])
        axes.set_xticks(range(len(columns)), [f"{value:g}" for value in columns])
        axes.set_yticks(range(len(rows)), [f"{value:g}" for value in rows])
        figure.colorbar(image, label=name)

    return paint

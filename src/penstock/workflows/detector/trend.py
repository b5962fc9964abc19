"""How the pixels of an experiment went, from run to run: a table, a picture and a page."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from penstock.workflows.detector.bits import BITS, count_bits
from penstock.workflows.detector.products import read_product
from penstock.workflows.reports.figure import entitle, write_figure
from penstock.workflows.reports.page import write_page

COLUMNS = ("run", "frames", "pixels", "bad", "newly_bad", "newly_good")
COLOURS = ("#d62728", "#1f77b4", "#ff7f0e", "#2ca02c", "#9467bd", "#17becf", "#e377c2", "#8c564b")

BODY = """{% if picture %}<figure><img src="{{ picture }}" alt="bad pixels by run"></figure>{% endif %}
{% for run, why in odd %}<p><strong>Run {{ run }} was not judged: {{ why }}.</strong></p>{% endfor %}
<h2>Runs, the last one first</h2>
<table><tr><th>run</th><th>frames</th><th>bad</th><th>newly bad</th><th>newly good</th>
{% for bit in bits %}<th>{{ bit.name }}</th>{% endfor %}</tr>
{% for run, link in runs %}<tr>
<td>{% if link %}<a href="{{ link }}">{{ run.number }}</a>{% else %}{{ run.number }}{% endif %}</td>
<td>{{ run.frames }}</td><td>{{ run.bad }}</td><td>{{ run.newly_bad }}</td><td>{{ run.newly_good }}</td>
{% for bit in bits %}<td>{{ run.bits[bit.name] }}</td>{% endfor %}</tr>{% endfor %}</table>
<p>Newly bad and newly good are pixels that were the other in the judged run before. A run that was not judged has no
numbers, and neither has the first, or one after another shape.</p>"""


@dataclass(slots=True)
class TrendRun:
    """What a trend knows of one run; what is not known is empty."""

    number: int
    frames: int
    why: str = ""  # why it was not judged
    pixels: int = 0
    bad: int | str = ""
    newly_bad: int | str = ""
    newly_good: int | str = ""
    bits: Mapping[str, int | str] = field(default_factory=lambda: {bit.name: "" for bit in BITS})

    @property
    def judged(self) -> bool:
        return not self.why

    def cells(self) -> list[Any]:
        return [
            *(self.number if name == "run" else getattr(self, name) for name in COLUMNS),
            *self.bits.values(),
        ]


def read_trend(paths: Iterable[Path]) -> list[TrendRun]:
    """Read the products of runs; give the runs by their numbers, each compared with the judged one before.

    One map is in memory at a time, and the bad pixels of the one before.
    """
    found = sorted(((_number(about), path) for path, about in _abouts(paths)), key=lambda pair: pair[0])
    runs, before = [], None
    for number, path in found:
        made = read_product(path)
        run = TrendRun(number, int(made.about["frames"]), str(made.about.get("not_judged", "")))
        if (status := made.arrays.get("status")) is not None:
            bad = status != 0
            run.pixels, run.bad, run.bits = status.size, int(bad.sum()), count_bits(status)
            if before is not None and before.shape == bad.shape:
                run.newly_bad, run.newly_good = int((bad & ~before).sum()), int((before & ~bad).sum())
            before = bad
        runs.append(run)
    return runs


def _abouts(paths: Iterable[Path]) -> Iterable[tuple[Path, Mapping[str, Any]]]:
    from penstock.workflows.detector.links import open_hdf5

    for path in paths:
        with open_hdf5(path) as file:
            yield path, dict(file.attrs)


def _number(about: Mapping[str, Any]) -> int:
    """Give the number of a run, which its key ends with."""
    return int(str(about["run"]).rpartition("/")[2])


def write_trend(
    page: Path,
    runs: Sequence[TrendRun],
    title: str,
    *,
    picture: Path,
    table: Path,
    link: Callable[[int], str] | None = None,
) -> None:
    """Write the page, its picture, which is beside it, and the table; `link` says where the page of a run is."""
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*COLUMNS, *(bit.name for bit in BITS)])
        writer.writerows(run.cells() for run in runs)
    draw_trend(runs, picture, title)
    judged = [run for run in runs if run.judged]
    facts = [("runs", f"{len(runs)}, {len(judged)} of them judged")]
    facts += [("bad pixels in the last", f"{judged[-1].bad} of {judged[-1].pixels}")] if judged else []
    write_page(
        page,
        BODY,
        title=title,
        facts=facts,
        picture=picture.name,
        bits=BITS,
        runs=[(run, link(run.number) if link else "") for run in reversed(runs)],
        odd=[(run.number, run.why) for run in runs if not run.judged],
    )


def draw_trend(runs: Sequence[TrendRun], path: Path, title: str) -> None:
    """Draw the bad pixels over the runs: all, those that are newly bad, and by bit."""
    judged = [run for run in runs if run.judged]
    numbers = np.array([run.number for run in judged])

    def paint(figure: Any, axes: Any) -> None:
        for size, (bit, colour) in enumerate(
            zip(BITS, COLOURS, strict=True), 2
        ):  # of rings: none hides another
            counts = np.array([run.bits[bit.name] for run in judged])
            if counts.any():
                axes.plot(
                    numbers,
                    counts,
                    "o-",
                    ms=3 + 1.3 * size,
                    mfc="none",
                    lw=1,
                    c=colour,
                    label=f"{bit.value} {bit.name}",
                )
        axes.plot(numbers, [run.bad for run in judged], "ks-", ms=4, lw=1.6, label="all bad pixels")
        newly = [(run.number, run.newly_bad) for run in judged if run.newly_bad]
        if newly:
            axes.plot(*zip(*newly, strict=True), "r^", ms=9, mfc="none", label="newly bad")
        axes.set(xlabel="run", ylabel="pixels", ylim=(0, None))
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.yaxis.get_major_locator().set_params(integer=True)
        entitle(axes, title)
        if judged:
            figure.legend(loc="outside right upper", fontsize=8, frameon=False)
        else:
            axes.text(0.5, 0.5, "no run was judged", transform=axes.transAxes, ha="center", va="center")

    write_figure((9.6, 3.6), path, paint)

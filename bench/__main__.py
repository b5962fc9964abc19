"""`python -m bench`: measure, print, and write docs/benchmarks.md.

Environment: BENCH_UNITS (10000), BENCH_MILLION (1000000), BENCH_ROUNDS (3), BENCH_PEERS (a folder with the
peers' programs), BENCH_OUT (docs/benchmarks.md).
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from bench import latency, overhead, scale, submitting, sweeps
from bench.measure import Cost, adopt_orphans, medians
from bench.table import Row, render

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
OUT = Path(os.environ.get("BENCH_OUT", "docs/benchmarks.md"))


def main() -> None:
    """Measure everything and write it down."""
    adopt_orphans()
    with tempfile.TemporaryDirectory(prefix="penstock-bench-") as name:
        text = "\n".join(page(Path(name)))
    OUT.write_text(text, encoding="utf-8")
    print(text)


def page(scratch: Path) -> list[str]:
    """Return the lines of the page."""
    return [
        "# Benchmarks",
        "",
        f"Measured by `make bench` on {datetime.now(UTC):%Y-%m-%d}: {os.cpu_count()} cores, {platform.machine()},",
        f"Python {platform.python_version()}, {platform.system()} {platform.release()}. Contestants take turns,",
        f"{ROUNDS} rounds; figures are medians. CPU is user and system time of the whole process tree, with the runners",
        "that outlive the command. Peak memory is not shown below that of the measuring process: Linux counts from there.",
        "",
        *overhead_section(scratch),
        *scale_section(scratch),
        *latency_section(scratch),
        *section("Standing by", "bench.standing"),
        *section("Scanning", "bench.scanning"),
        *section("Closing a group", "bench.closing"),
        *section("Five years", "bench.years"),
        *section("Looking ahead", "bench.simulating"),
        *section("In a browser", "bench.serving"),
        *cluster_section(),
        *far_section(),
    ]


def overhead_section(scratch: Path) -> list[str]:
    """Compare what a unit costs, with two workers."""
    commands = medians(overhead.commands(scratch), rounds=ROUNDS)
    functions = medians(overhead.functions(scratch), rounds=ROUNDS)
    others = medians(overhead.others(scratch), rounds=1)
    xargs, pool = commands["xargs -P2 sh -c"], functions["Pool + SQLite"]
    lines = [f"## Overhead: {overhead.UNITS:,} units, two workers", "", "Commands that touch a file:", ""]
    lines += table(commands, overhead.UNITS, "xargs", xargs)
    lines += ["", "Targets: by argv at most 1.0 ×, through `sh -c` at most 1.4 × `xargs`.", ""]
    lines += [
        "Python functions that do nothing:",
        "",
        *table(functions, overhead.UNITS, "Pool + SQLite", pool),
    ]
    lines += ["", "Target: at most 2 ×.", ""]
    points = medians(sweeps.running(scratch), rounds=ROUNDS)
    lines += [
        f"Points of a sweep over a quick program in C, {sweeps.RUN:,} of them; the loop makes a folder, renders and copies:",
        "",
    ]
    lines += [*table(points, sweeps.RUN, "xargs", points["xargs -P2"]), "", "Target: at most 1.3 ×.", ""]
    if others:
        lines += [f"Others, over {overhead.SLOW_UNITS:,} units that touch a file:", ""]
        lines += [*table(others, overhead.SLOW_UNITS, "", None), ""]
    return lines


def table(costs: Mapping[str, Cost], units: int, name: str, base: Cost | None) -> list[str]:
    """Return the table of one comparison."""
    rows: list[Row] = [("", "CPU s", "CPU ms per unit", "wall s", *([f"× {name}"] if base else []))]
    for contestant, cost in costs.items():
        ratio = [f"{cost.cpu_s / base.cpu_s:.2f}"] if base else []
        rows.append(
            (
                contestant,
                f"{cost.cpu_s:.2f}",
                f"{cost.cpu_s / units * 1000:.2f}",
                f"{cost.wall_s:.2f}",
                *ratio,
            )
        )
    return render(rows)


def scale_section(scratch: Path) -> list[str]:
    """Measure the conductor and the command line with many units."""
    conductor, status = scale.million(scratch)
    driven = conductor()
    contests: dict[str, tuple[Callable[[], Cost], str]] = {
        "`penstock --help`": (lambda: scale.help_text(scratch / "help"), "0.25 s"),
        f"`run`, nothing to do, {scale.FINISHED:,} units of a table": (
            scale.nothing_to_do(scratch),
            "0.5 s CPU",
        ),
        f"`run`, nothing to do, {scale.FINISHED:,} files": (
            scale.nothing_to_do_with_files(scratch),
            "0.5 s CPU",
        ),
        f"`plan`, {scale.PLANNED:,} units × 3 stages": (scale.plan(scratch), "3 s CPU, 200 MB"),
        f"`status`, {scale.MILLION:,} units × 3 stages": (status, "0.5 s"),
        f"submitting {submitting.UNITS:,} units, {submitting.BATCH} per batch (wall and peak: with finding them)": (
            submitting.submitting(scratch),
            "5 s CPU",
        ),
        f"planning a sweep of over {sweeps.POINTS:,} points": (sweeps.planning(scratch), "3 s, 200 MB"),
        f"… and the table of over {sweeps.POINTS:,} named points": (sweeps.tabulating(scratch), ""),
        f"packing {sweeps.PACKED:,} jobs of a sweep": (sweeps.packing(scratch), "5 s"),
    }
    costs = medians({name: contest for name, (contest, _) in contests.items()}, rounds=ROUNDS)
    rows: list[Row] = [("", "CPU s", "wall s", "peak MB", "target")]
    rows += [row_of(name, costs[name], target) for name, (_, target) in contests.items()]
    rows.append(
        row_of(f"conductor, {scale.MILLION:,} units × 3 stages found and first batches fed", driven, "250 MB")
    )
    return ["## Scale", "", *render(rows), ""]


def row_of(name: str, cost: Cost, target: str) -> Row:
    """Return a row of the scale table."""
    return name, f"{cost.cpu_s:.2f}", f"{cost.wall_s:.2f}", f"{cost.peak_bytes / 1e6:.0f}", target


def latency_section(scratch: Path) -> list[str]:
    """Measure the links of a chain."""
    median, worst = latency.median_ms(scratch)
    return [
        "## Latency",
        "",
        f"A chain a → b → c of commands over one unit: {median:.0f} ms from the end of one link to the start of the next",
        f"(median of {2 * latency.ROUNDS} links, worst {worst:.0f} ms). Target: 50 ms.",
        "",
    ]


def cluster_section() -> list[str]:
    """Measure a campaign on a real Slurm."""
    return section("On a cluster", "bench.clusters", "--rounds", str(ROUNDS))


def far_section() -> list[str]:
    """Measure files that travel, and a campaign that is far away, over a real SSH server."""
    return [
        *section("Files over SSH", "bench.transfers", "--rounds", str(ROUNDS)),
        *section("A campaign far away", "bench.far", "1"),
    ]


def section(title: str, module: str, *words: str) -> list[str]:
    """Return what a module prints, in a process of its own: its daemons are nobody's orphans to wait for."""
    command = [sys.executable, "-m", module, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{title}: not measured: {done.stderr.strip()[-500:]}", file=sys.stderr)
        return []
    return [f"## {title}", "", *done.stdout.splitlines(), ""]


if __name__ == "__main__":
    main()

"""Two whole campaigns of recordings, run by penstock: many short files, and a few long ones.

    python bench/acoustics_campaigns.py [short] [long] [--files 20000] [--hours 6] [--workers 2] [--keep DIR]

Each makes its recordings (a few of made-up noise, the others hard links to them), sets a campaign up with
`penstock init acoustics`, runs it with `penstock run`, and prints what each stage took, from the record:
peak memory of an attempt, processor time, and files a second.
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

if __package__ is None:
    sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.campaigns import PENSTOCK
from bench.measure import Cost, adopt_orphans, run

RATE, DISTINCT = 48_000, 8
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Shape:
    """So many recordings of so many seconds; every `distinct` of them are not the same."""

    name: str
    files: int
    seconds: int
    distinct: int

    @property
    def hours(self) -> float:
        return self.files * self.seconds / 3600


def make_recordings(folder: Path, shape: Shape) -> int:
    """Write recordings back to back; give the bytes that they would take without links."""
    folder.mkdir(parents=True)
    for i in range(shape.files):
        path = folder / f"{BEGIN + timedelta(seconds=i * shape.seconds):%Y%m%d_%H%M%S}.wav"
        if i < shape.distinct:
            write_noise(path, shape.seconds, seed=i)
            first = first_of(folder)
        else:
            path.hardlink_to(first[i % shape.distinct])
    return shape.files * path.stat().st_size


def first_of(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def write_noise(path: Path, seconds: int, *, seed: int) -> None:
    """Write noise a minute at a time."""
    import numpy as np
    import soundfile

    random = np.random.default_rng(seed)
    with soundfile.SoundFile(path, "w", RATE, 1, "PCM_16") as file:
        for start in range(0, seconds, 60):
            count = min(60, seconds - start) * RATE
            file.write(0.1 * random.standard_normal(count, dtype=np.float32))


def run_campaign(scratch: Path, shape: Shape, workers: int) -> None:
    """Make, init, run and show one campaign."""
    size = make_recordings(scratch / shape.name / "audio", shape)
    print(
        f"{shape.name}: {shape.files:,} files of {shape.seconds:,} s, {shape.hours:.1f} h, {size / 1e9:.1f} GB"
    )
    command = [*PENSTOCK, "init", "acoustics", "sea", "--audio", "audio", "--workers", str(workers)]
    show_cost("init", run(command, cwd=scratch / shape.name), shape)
    campaign = scratch / shape.name / "sea"
    show_cost("run", run([*PENSTOCK, "run"], cwd=campaign), shape)
    print(*stage_lines(campaign, shape), sep="\n")
    made = sum(each.stat().st_size for each in (campaign / "spectra").glob("*.nc"))
    print(f"  matrices {made / size:.3f} of the recordings' bytes")


def show_cost(name: str, cost: Cost, shape: Shape) -> None:
    print(
        f"  penstock {name:6}{cost.wall_s:8.1f} s wall{cost.cpu_s:9.1f} CPU-s"
        f"{cost.peak_bytes / 1e6:7.0f} MB the largest process{shape.files / cost.wall_s:8.1f} files/s",
        flush=True,
    )


def stage_lines(campaign: Path, shape: Shape) -> Iterator[str]:
    """Give what each stage took, from the attempts in the record."""
    with sqlite3.connect(campaign / ".penstock" / "ledger.sqlite") as ledger:
        rows = ledger.execute(
            "SELECT name, count(*), sum(outcome != 'ok'), max(rss), sum(cpu_s), max(ended) - min(began)"
            " FROM attempt JOIN stage ON stage.id = attempt.stage GROUP BY stage.id ORDER BY position"
        ).fetchall()
    for name, attempts, failed, rss, cpu, wall in rows:
        rate = f"{cpu / shape.hours:7.2f} CPU-s/h{attempts / wall:8.1f} files/s" if attempts > 1 else ""
        yield (
            f"  {name:12}{attempts:7} attempts ({failed} failed){rss / 1e6:7.0f} MB peak"
            f"{cpu:9.1f} CPU-s{wall:8.1f} s wall{rate}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("which", nargs="*", help="short, long [both]")
    parser.add_argument("--files", type=int, default=20_000, help="short recordings [20000]")
    parser.add_argument("--seconds", type=int, default=10, help="of a short recording [10]")
    parser.add_argument("--hours", type=int, default=6, help="of a long recording [6]")
    parser.add_argument("--long-files", type=int, default=10, help="long recordings [10]")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="a folder to work in, that stays [none]")
    chosen = parser.parse_args()
    shapes = {
        "short": Shape("short", chosen.files, chosen.seconds, DISTINCT),
        "long": Shape("long", chosen.long_files, chosen.hours * 3600, 1),
    }
    adopt_orphans()
    for which in chosen.which or shapes:
        with tempfile.TemporaryDirectory(prefix="bench-acoustics-") as scratch:
            run_campaign(chosen.keep or Path(scratch), shapes[which], chosen.workers)


if __name__ == "__main__":
    main()

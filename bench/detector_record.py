"""Moving from the old record and back, and lists of many runs.

    python bench/detector_record.py [--experiments 100] [--runs 500] [--new 10] [--listed 100000]

An old record of so many experiments and runs is imported, new runs are processed, and it is exported again: lines that
were there must be there as they were, and each new run must have one that can be read. Then so many runs are listed,
by commands in processes of their own, with the start of Python; of each figure the least of three counts.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from penstock.workflows.detector.demo import put
from penstock.workflows.detector.init import RUNS, Shape, write_campaign
from penstock.workflows.detector.oldrecord import read_lines

LINE = (
    "{run:04d} 2017-10-05T15:19:{second:02d} ann psana1501 cwd:/reg/neh cmd:proc_control -e {name} -r {run}\n"
)


def begin(root: Path) -> Path:
    """Begin a campaign that controls everything."""
    root.mkdir()
    shape = Shape(settle="0s", quiet="0s")
    write_campaign(root, f"{root}/data/{RUNS}", experiments=None, every=True, shape=shape)
    return root


def touch_runs(root: Path, experiments: int, runs: int) -> None:
    """Make so many runs, without frames."""
    for number in range(experiments):
        for run in range(runs):
            path = path_of(root, number, run)
            if not run:
                path.parent.mkdir(parents=True)
            path.touch()


def path_of(root: Path, number: int, run: int) -> Path:
    name = f"xpp{number:05d}"
    named = {"instrument": "XPP", "experiment": name, "run": run, "stream": 0, "chunk": 0}
    return root / "data" / RUNS.format(**named)


def write_old(root: Path, experiments: int, runs: int) -> dict[str, bytes]:
    """Write an old record; give the content of its files."""
    folder, made = root / "pixel_status/XPP", {}
    folder.mkdir(parents=True)
    for number in range(experiments):
        name = f"xpp{number:05d}"
        lines = "".join(LINE.format(run=run, second=run % 60, name=name) for run in range(runs))
        made[f"{name}-proc-runs.txt"] = lines.encode()
        (folder / f"{name}-proc-runs.txt").write_text(lines, "utf-8")
    return made


def timed(root: Path, *words: str) -> tuple[float, str]:
    """Run a command of penstock; give its time in seconds, and the last line that it printed."""
    begun = time.perf_counter()
    command = [sys.executable, "-m", "penstock", *words]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"penstock {' '.join(words)} ended {done.returncode}: {done.stdout}{done.stderr}")
    return time.perf_counter() - begun, [*done.stdout.splitlines(), ""][-2 if done.stdout else 0]


def say(what: str, took: tuple[float, str]) -> None:
    """Print how long something took, and what it said."""
    print(f"{what}: {took[0]:.1f} s; {took[1]}")


def move(place: Path, experiments: int, runs: int, new: int) -> None:
    """Import an old record, process new runs, export it, and compare."""
    from penstock.workflows.detector.demo import frames_of

    root, old = begin(place / "campaign"), place / "old"
    touch_runs(root, experiments, runs)
    before = write_old(old, experiments, runs)
    say(f"import of {experiments} × {runs} runs", timed(root, "detector", "import", str(old), "--submit"))
    for number in range(new):
        put(path_of(root, number, runs), frames_of({5: "dead"}, seed=number), 0)
    say(f"{new} new runs", timed(root, "run"))
    say("export", timed(root, "detector", "export", str(place / "out")))
    added = 0
    for name, content in before.items():
        path = place / "out/pixel_status/XPP" / name
        after = path.read_bytes()
        assert after.startswith(content), f"{name}: an old line has changed"
        added += len(read_lines(path).runs) - runs
    assert added == new, f"{added} lines were added for {new} new runs"
    print(f"{experiments * runs:,} old lines unchanged, {added} new ones can be read")


def show_lists(place: Path, listed: int) -> None:
    """List so many runs."""
    root = begin(place / "many")
    touch_runs(root, max(1, listed // 1000), min(1000, listed))
    print(f"first look at {listed:,} runs: {timed(root, 'detector', 'new')[0]:.1f} s")
    for words in (("new",), ("new", "--json"), ("missing",), ("statistics",)):
        times = [timed(root, "detector", *words)[0] for _ in range(3)]
        print(f"penstock detector {' '.join(words)}: {min(times):.2f} s")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--experiments", type=int, default=100)
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--new", type=int, default=10)
    parser.add_argument("--listed", type=int, default=100_000)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-detector-record-") as folder:
        move(Path(folder), chosen.experiments, chosen.runs, chosen.new)
        show_lists(Path(folder), chosen.listed)


if __name__ == "__main__":
    main()

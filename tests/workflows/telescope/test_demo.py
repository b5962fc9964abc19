"""The demonstration makes up a night, and closes it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import h5py


def test_the_demonstration_leads_a_night_from_raw_events_to_its_seal(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "penstock", "demo", "telescope", str(tmp_path / "lst1")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    root = tmp_path / "lst1"
    seal = json.loads((root / "closed/2020-01-17/NightFinished.json").read_text())
    assert (seal["group"], seal["left_out"]) == ("2020-01-17", [])
    merged = root / "dl1/20200117/standard/runs/dl1.Run01807.h5"
    parts = sorted((root / "dl1/20200117/standard").glob("dl1.Run01807.*.h5"))
    counts = [len(h5py.File(path)["events"]) for path in (merged, *parts)]
    assert counts[0] == sum(counts[1:]) > 200
    assert (root / "nights/20200117/datacheck.html").exists()
    assert done.stdout.count("killed with kill -9 while the night 2020-01-17 was being closed") == 1
    assert seal["seal"] == 1
    assert 'DATA      1808        2  "Mrk 421"  closed' in done.stdout

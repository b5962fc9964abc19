"""A campaign in which every state occurs, with names, reasons and logs that mean harm."""

import hashlib
import json
from pathlib import Path

import pytest
from tests.conftest import Record

from penstock.config import load, to_json
from penstock.serve.campaigns import Shown, shown_in
from penstock.status import STATES

EVIL = "<script>alert(1)</script>"
DEFINITION = """
[campaign]
name = "winter"
levels = ["night", "run"]
[units]
files = "data/{night}/{run:05d}.txt"
[stage.calibrate]
each = "run"
command = ["cp", "{path}", "{product.picture}"]
products = { picture = "pictures/{night}_{run}.png" }
resources = { cpus = 2, walltime = "10min", memory = "2GB" }
[stage.fit]
each = "run"
command = ["touch", "{product}"]
after = ["calibrate"]
products = "fits/{night}_{run}.txt"
[stage.merge]
each = "night"
command = ["touch", "{product}"]
after = ["fit"]
products = "merged/{night}.txt"
[close.night]
[site.slurm]
scheduler = "slurm"
"""
NIGHTS = ("2020-01-16", "2020-01-17", "2020-01-18")
PNG = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x00\x00\x00\x00:~\x9bU"
    b"\x00\x00\x00\nIDATx\x9cc`\x00\x00\x00\x02\x00\x01H\xaf\xa4q\x00\x00\x00\x00IEND\xaeB`\x82"
)


def fill(root: Path, *, now: float = 1_600_000_000.0) -> Record:
    """Write a record in which every state, mark and kind of problem occurs."""
    record = Record(root)
    (root / "penstock.toml").write_text(DEFINITION)
    frozen = to_json(load(root))
    record.db.execute("UPDATE definition SET text = ?", (json.dumps(frozen),))
    numbers = {stage["name"]: record.stage(**stage) for stage in frozen["stages"]}
    calibrate, fit, merge = (numbers[name] for name in ("calibrate", "fit", "merge"))
    verify, seal = (numbers[f"close.night.{name}"] for name in ("verify", "seal"))
    jobs = root / ".penstock" / "jobs" / "p0"
    jobs.mkdir(parents=True)
    job = record.job(
        folder=".penstock/jobs/p0",
        request=json.dumps({"cpus": 2, "walltime_s": 600.0, "memory_bytes": 10**9}),
    )
    log = b"\x1b[31mred\x1b[0m\n" + EVIL.encode() + b"\nlast line\n"
    (jobs / "1.1.log").write_bytes(log)
    for night in NIGHTS:
        for number, state in enumerate(STATES):
            unit = record.unit(night, number, at=now - 9000 + number, seen=now - 9000)
            why = (
                f"exit code 3: no table for run {number} {EVIL}"
                if state in ("failed", "blocked", "vetoed")
                else None
            )
            stale = {"stale": "its definition changed"} if state == "done" and night == NIGHTS[0] else {}
            record.task(calibrate, unit, state, why=why, **stale)
            record.task(fit, unit, "waiting" if state != "done" else "done")
            if state in ("done", "failed"):
                record.attempt(
                    calibrate, unit, "ok" if state == "done" else "error", job=job, began=now - 400 - 60 * number,
                    ended=now - 300 - 40 * number, wall_s=60.0 + number, cpu_s=100.0, rss=10**9, host="n<1>", why=why,
                    log="1.1.log", log_offset=0, log_bytes=len(log), next="tried again",
                )  # fmt: skip
            if state == "done":
                picture(
                    record, calibrate, unit, f"pictures/{night}_{number}.png", "picture", PNG + night.encode()
                )
        group = record.db.execute(
            "SELECT id FROM unit WHERE level = 1 AND key = ?", (f'["{night}"]',)
        ).fetchone()[0]
        record.task(merge, group, "waiting", why="group open: a file may still be growing")
        record.task(seal, group, "done" if night == NIGHTS[0] else "waiting")
        record.task(
            verify, group, "done" if night == NIGHTS[0] else "waiting", why="2 tasks of 'fit' are not done"
        )
    pending = {"phase": "pending", "word": "PENDING", "reason": "Priority"}
    record.array(fit, pending, {"phase": "held", "word": "PENDING", "reason": "JobHeldAdmin"}, request=json.dumps(
        {"token": "p1", "elements": 2, "cpus": 4, "memory_bytes": 2_000_000_000, "walltime_s": 5400.0}))  # fmt: skip
    record.insert("problem", source="scan", subject=f"data/{EVIL}.txt", why="badly named", at=now)
    record.ledger.note_turn(now - 10, scanned=now - 20)
    return record


def picture(record: Record, stage: int, unit: int, path: str, name: str, data: bytes) -> None:
    """Write a product, and its row."""
    file = record.root / path
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(data)
    record.insert(
        "product", stage=stage, unit=unit, name=name, path=path, bytes=len(data), digest=hashlib.sha256(data).hexdigest(),
        owned=1,
    )  # fmt: skip


@pytest.fixture
def record(tmp_path: Path) -> Record:
    return fill(tmp_path / "winter")


@pytest.fixture
def shown(record: Record) -> Shown:
    return shown_in([record.root])["winter"]

"""The script that runs one point on the far side."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from penstock.workflows.sweep import job

SCRIPT = Path(job.__file__)


def start(
    folder: Path, shell: str, *, inputs: dict[str, bytes] | None = None, spoil: str = "", **spec: object
):
    """Run a shell program as a point, in a scratch folder; return how it ended and what results there are."""
    home, given, scratch = folder / "home", folder / "given", folder / "scratch"
    for each in (home / "seeds", given, scratch):
        each.mkdir(parents=True)
    (home / "seeds/6.txt").write_text("seed")
    (home / "job.py").write_bytes(SCRIPT.read_bytes())
    (home / "model").write_text(f"#!/bin/sh\n{shell}\n")
    (home / "model").chmod(0o755)
    contents = inputs or {}
    told = {
        "arguments": [],
        "folders": [],
        "beside": [],
        "products": [],
        "log": None,
        "restart": None,
        **spec,
    }
    told["inputs"] = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    made_of, rules = json.dumps(told).encode(), json.dumps(spec.pop("results", {})).encode()
    contents = {**contents, "job.jsonl": made_of + b"\n" + rules + b"\n"}
    for name, content in contents.items():
        (given / name).parent.mkdir(parents=True, exist_ok=True)
        (given / name).write_bytes((b" " if name == spoil else b"") + content)
    digest = hashlib.sha256(made_of).hexdigest()
    command = [
        sys.executable,
        home / "job.py",
        given,
        folder / "runs/one",
        folder / "rest/one",
        "./model",
        digest,
    ]
    done = subprocess.run(command, cwd=scratch, capture_output=True, check=False)
    return done, folder / "runs/one"


def test_inputs_arguments_and_products_go_their_way(tmp_path: Path) -> None:
    done, results = start(
        tmp_path,
        'cat in.txt deep/b.txt seeds/6.txt > out/"$1"; echo told',
        inputs={"in.txt": b"a\r\n", "deep/b.txt": b"b\xff"},
        arguments=["$(x) '\" *"],
        folders=["out"],
        beside=["seeds"],
        products=["out/*"],
    )
    assert (done.returncode, done.stdout) == (0, b"told\n")
    assert (results / "out/$(x) '\" *").read_bytes() == b"a\r\nb\xffseed"


def test_what_is_not_to_be_fetched_goes_to_a_folder_of_its_own(tmp_path: Path) -> None:
    shell = "mkdir out; echo 7 > out/a.dat; echo large > dump.bin; echo x > other.dat"
    rule = {"n": {"file": "dump.bin", "regex": "l.*"}}
    spec = {"products": ["out/*", "*.bin", "*.dat"], "fetch": ["out/*.dat", "o*.dat"], "results": rule}
    done, results = start(tmp_path, shell, **spec)
    assert done.returncode == 0, done.stderr
    assert sorted(str(p.relative_to(results)) for p in results.rglob("*") if p.is_file()) == [
        "other.dat", "out/a.dat", "values.json",
    ]  # fmt: skip
    assert json.loads((results / "values.json").read_text()) == {"n": {"value": "large", "rule": rule["n"]}}
    assert [path.name for path in (tmp_path / "rest/one").iterdir()] == ["dump.bin"]


@pytest.mark.parametrize(("shell", "code"), [("exit 3", 3), ("kill -FPE $$", 136), ("kill -KILL $$", 137)])
def test_the_programs_own_end_is_the_end(tmp_path: Path, shell: str, code: int) -> None:
    done, results = start(tmp_path, f"echo x > made; {shell}", products=["made"])
    assert done.returncode == code
    assert not results.exists()


def test_a_program_that_ends_well_and_makes_nothing_has_failed(tmp_path: Path) -> None:
    done, results = start(tmp_path, "echo x > a.dat", products=["*.dat", "out/*"])
    assert (done.returncode, results.exists()) == (65, False)
    assert b"ended with 0 and made no out/*" in done.stderr


def test_a_log_of_the_programs_own_is_printed_however_it_ended(tmp_path: Path) -> None:
    done, _ = start(tmp_path, "echo said; printf 'diverged \\377' > own.log; exit 4", log="own.log")
    assert (done.returncode, done.stdout) == (4, b"said\ndiverged \xff")


def test_a_program_that_cannot_be_started_is_told(tmp_path: Path) -> None:
    done, _ = start(tmp_path, "", folders=["model"])
    (tmp_path / "home/model").chmod(0o644)
    again = subprocess.run(done.args, cwd=tmp_path / "scratch", capture_output=True, text=True, check=False)
    assert (again.returncode, "cannot be started: Permission denied" in again.stderr) == (1, True)
    assert "Traceback" not in again.stderr


@pytest.mark.parametrize("spoilt", ["in.txt", "job.jsonl"])
def test_inputs_that_are_not_what_the_sweep_wrote_are_refused(tmp_path: Path, spoilt: str) -> None:
    done, _ = start(tmp_path, "true", inputs={"in.txt": b"a"}, spoil=spoilt)
    assert done.returncode == 1
    assert f"{spoilt} in ".encode() in done.stderr
    assert b"is not what the sweep wrote" in done.stderr


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        ({"file": "t", "column": 2}, "-1.50E-3"),
        ({"file": "t", "column": 1, "row": 1}, "1"),
        ({"file": "t", "column": 1, "row": -2}, "2"),
        ({"file": "t", "column": 1, "take": "mean"}, "2.0"),
        ({"file": "t", "column": 3}, None),
        ({"file": "t", "column": 1, "row": 9}, None),
        ({"file": "t", "column": 1, "row": -9}, None),
        ({"file": "c.csv", "column": 2, "row": 2, "delimiter": ","}, "a, b"),
        ({"file": "l.log", "regex": r"^E = (\S+)"}, "-2"),
        ({"file": "l.log", "regex": r"[0-9]+ steps"}, "70 steps"),
        ({"file": "l.log", "regex": "none"}, None),
        ({"file": "j.json", "json": "/a/1/b"}, "1.500"),
        ({"file": "j.json", "json": "/a/7"}, None),
        ({"file": "j.json", "json": "/n"}, "NaN"),
        ({"file": "missing", "column": 1}, None),
    ],
)
def test_a_result_is_the_text_of_its_file_or_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rule: dict[str, object], value: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("t").write_text("# x y\n1 2\n\n2 5\n  3   -1.50E-3  \n", encoding="utf-8")
    Path("c.csv").write_text('x,y\n1,"a, b"\n', encoding="utf-8")
    Path("l.log").write_text("E = -1\n70 steps\nE = -2 J\n", encoding="utf-8")
    Path("j.json").write_text('{"a": [0, {"b": 1.500}], "n": NaN}', encoding="utf-8")
    assert job.extract(rule) == value

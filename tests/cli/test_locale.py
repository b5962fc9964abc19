"""Names that the locale has no letters for: files are UTF-8 all the same, and nothing ends for what cannot be shown."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

DEFINITION = """
campaign = { name = "names", levels = ["file"] }
units = { files = "d/{file}.txt", settle = "0s" }
# Größe
[stage.s]
each = "file"
command = ["cp", "{path}", "{product}"]
products = "out/{file} ø.txt"
[stage.f]
each = "file"
python = "steps:f"
products = "named/{file}.txt"
"""
STEPS = "def f(task):\n    print('größer')\n    task.product().write_text('x')\n"
BARE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
LOCALES = {
    "none at all": BARE,
    "none, and a terminal of Latin-1": {**BARE, "PYTHONIOENCODING": "iso-8859-1"},
    "UTF-8, and a terminal of ASCII": {"LC_ALL": "C.UTF-8", "PYTHONIOENCODING": "ascii"},
}


@pytest.mark.parametrize("names", LOCALES)
def test_a_campaign_with_names_of_any_letters_runs_and_is_shown(tmp_path: Path, names: str) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "Ålesund – 海.txt").write_text("x", "utf-8")
    (tmp_path / "penstock.toml").write_text(DEFINITION, "utf-8")
    (tmp_path / "steps.py").write_text(STEPS, "utf-8")
    environment = {"PATH": os.environ["PATH"], **LOCALES[names]}
    for words in (
        ["run"],
        ["units"],
        ["why", "Ålesund – 海"],
        ["status"],
        ["log", "Ålesund – 海", "--stage", "f"],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "penstock", *words],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            check=False,
        )
        assert (done.returncode, b"Error" in done.stderr) == (0, False), done.stderr
        assert b"sund" in done.stdout or words[0] in ("run", "status", "log")
    assert (tmp_path / "out" / "Ålesund – 海 ø.txt").exists()
    assert (tmp_path / "named" / "Ålesund – 海.txt").exists()

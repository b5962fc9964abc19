"""Campaigns in a folder of a test, as functions and as fixtures of pytest."""

import os
import subprocess
import sys
from pathlib import Path

from penstock.testing import make_campaign

TOML = """
    [campaign]
    name = "winter"
    levels = ["file"]

    [units]
    files = "data/{file}.txt"

    [stage.copy]
    each = "file"
    command = ["cp", "{path}", "{product}"]
    products = "copies/{file}.txt"
    """


def test_a_campaign_is_made_loaded_and_run(tmp_path: Path) -> None:
    made = make_campaign(tmp_path / "winter", TOML, files={"data/a.txt": "a", "data/b.txt": b"\xff"})
    assert made.load().name == "winter"
    assert made.load("stage.copy.batch=7").stage("copy").batch == 7
    assert made.run().code == 0
    assert made.states("copy") == {'["a"]': "done", '["b"]': "done"}


def test_its_files_are_at_rest_at_once(tmp_path: Path) -> None:
    made = make_campaign(tmp_path, TOML, files={"data/a.txt": "a"})
    assert (tmp_path / "data/a.txt").stat().st_mtime < 1_600_000_000
    made.write("data/b.txt", "b", mtime=1_600_000_000)
    assert (tmp_path / "data/b.txt").stat().st_mtime == 1_600_000_000


def test_a_second_run_finds_what_was_written_meanwhile(tmp_path: Path) -> None:
    made = make_campaign(tmp_path, TOML, files={"data/a.txt": "a"})
    made.run()
    made.write("data/b.txt", "b")
    made.run()
    assert made.states("copy") == {'["a"]': "done", '["b"]': "done"}


def test_the_fixtures_come_with_one_line(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["penstock.testing.plugin"]\n')
    (tmp_path / "test_mine.py").write_text(
        f"TOML = '''{TOML}'''\n"
        "def test_mine(make_campaign, manual_clock):\n"
        "    made = make_campaign(TOML, files={'data/a.txt': 'a'})\n"
        "    assert made.run(clock=manual_clock).code == 0\n"
        "    assert manual_clock.monotonic() > 0\n"
    )
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(
        argv, capture_output=True, text=True, cwd=tmp_path, env={**os.environ, "PYTEST_ADDOPTS": ""}
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr

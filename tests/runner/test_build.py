"""The runner as one file."""

import errno
import json
import os
import re
import subprocess
import sys
import zipfile

import pytest

from penstock.runner import build
from penstock.runner.build import build_pyz


def test_the_file_is_named_by_its_content_and_made_once(tmp_path):
    path = build_pyz(tmp_path)
    assert re.fullmatch(r"runner-[0-9a-f]{64}\.pyz", path.name)
    before = path.stat()
    assert build_pyz(tmp_path) == path
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert os.listdir(tmp_path) == [path.name]


def test_a_draft_that_a_full_disk_cuts_short_does_not_stay(tmp_path, monkeypatch):
    def write_half(path, sources):
        path.write_bytes(b"PK")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(build, "write_zip", write_half)
    with pytest.raises(OSError, match="No space"):
        build_pyz(tmp_path)
    assert os.listdir(tmp_path) == []


def test_the_same_sources_make_the_same_bytes(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert build_pyz(tmp_path / "a").read_bytes() == build_pyz(tmp_path / "b").read_bytes()


def test_the_file_runs_alone_and_tells_its_digest(lab, tmp_path):
    path = build_pyz(tmp_path)
    lab.program = path
    lab.run([lab.command(1, "true")])
    claim = lab.events()[0]
    assert path.name == f"runner-{claim['runner']}.pyz"
    assert lab.ends()[1]["o"] == "ok"


def test_nothing_but_the_runner_is_in_the_file(tmp_path):
    with zipfile.ZipFile(build_pyz(tmp_path)) as archive:
        names = archive.namelist()
    assert "__main__.py" in names
    assert "penstock_runner/main.py" in names
    assert all(re.fullmatch(r"(penstock_runner/)?\w+\.pyc?", name) for name in names)


def test_the_module_runs_in_the_installed_package_too(lab):
    lab.batch([lab.command(1, "true")])
    lab.close()
    lab.write_spec()
    subprocess.run(
        [sys.executable, "-m", "penstock.runner", str(lab.job)], env=lab.environment(None), check=True
    )
    assert json.dumps(lab.events()[-1]["why"]) == '"done"'

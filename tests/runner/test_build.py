"""The runner as one file."""

import io
import json
import re
import subprocess
import sys
import zipfile

from penstock.runner.build import build_spool, build_zip, read_sources, runner_name


def test_the_file_is_named_by_its_content():
    sources = read_sources()
    assert re.fullmatch(r"runner-[0-9a-f]{64}\.pyz", runner_name(sources))
    assert runner_name({**sources, "__main__.py": b"pass\n"}) != runner_name(sources)


def test_the_same_sources_make_the_same_bytes():
    assert build_zip(read_sources()) == build_zip(read_sources())


def test_the_file_runs_alone_and_tells_its_digest(lab, tmp_path):
    path = tmp_path / runner_name(read_sources())
    path.write_bytes(build_zip(read_sources()))
    lab.program = path
    lab.run([lab.command(1, "true")])
    claim = lab.events()[0]
    assert path.name == f"runner-{claim['runner']}.pyz"
    assert lab.ends()[1]["o"] == "ok"


def test_nothing_but_the_runner_is_in_the_file():
    with zipfile.ZipFile(io.BytesIO(build_zip(read_sources()))) as archive:
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


def test_the_spool_is_one_file_of_sources_that_is_the_same_each_time():
    assert build_spool() == build_spool()
    with zipfile.ZipFile(io.BytesIO(build_spool())) as archive:
        names = archive.namelist()
    assert {"__main__.py", "penstock_spool/files.py", "penstock_spool/spool/supervisor.py"} <= {*names}
    assert all(re.fullmatch(r"(penstock_spool/(spool/)?)?\w+\.py", name) for name in names)

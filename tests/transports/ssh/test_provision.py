"""A function with numpy at a host that has a bare Python, and jobs without any network."""

from __future__ import annotations

import os
import platform
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from tests.sshd import HOST, Sshd
from tests.wheels import repack

from penstock.transports.ssh import SshTransport

BARE = "/usr/bin/python3"
NO_NETWORK = "unshare -rn" if os.geteuid() else "unshare -n"

COMMANDS = {
    "scontrol": "printf 'MaxArraySize = 1001\\nSLURM_VERSION = 22.05.8\\nAccountingStorageType = (null)\\n'",
    "sbatch": f'for last; do :; done; SLURM_ARRAY_TASK_ID=1 SLURM_JOB_ID=7 {NO_NETWORK} sh "$last"; echo 7',
    "squeue": "echo 'penstock|JOBID|NAME|STATE|START_TIME|NODELIST|REASON|end'",
    "scancel": "true",
    "python": f'exec {NO_NETWORK} {BARE} "$@"',
}
TOML = """
campaign = {{ name = "sums", levels = ["file"], site = "far" }}
units = {{ files = "in/{{file}}.txt", settle = "0s" }}
[stage.sum]
each = "file"
python = "sums:add"
products = "out/{{file}}.txt"
[site.far]
scheduler = "slurm"
host = "{host}"
commands = "{bin}"
python = "{bin}/python"
workdir = "{work}"
{requirements}
"""
FUNCTION = """\
import multiprocessing, socket, sys

def root(number):
    import numpy
    return float(numpy.sqrt(number))

def add(task):
    import numpy
    numbers = numpy.loadtxt(task.fields["path"], ndmin=1)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        (two,) = pool.map(root, [4.0])
    try:
        socket.create_connection(("127.0.0.1", {port}), 1)
        network = "a network"
    except OSError:
        network = "no network"
    with open(task.product(), "w") as file:
        print(int(numpy.linalg.norm(numbers)), two, network, sys.executable, file=file)
"""


class Campaign:
    """A campaign whose jobs have no network."""

    def __init__(self, root: Path, server: Sshd) -> None:
        self.root, self.port = root / "sums", server.port
        self.work, self.bin = root / "work", root / "bin"
        for folder in (self.root / "in", self.bin):
            folder.mkdir(parents=True)
        for name, text in COMMANDS.items():
            (self.bin / name).write_text(f"#!/bin/sh\n{text}\n")
            (self.bin / name).chmod(0o755)
        for number in range(3):
            (self.root / f"in/{number}.txt").write_text("3 4\n")
        (self.root / "sums.py").write_text(FUNCTION.format(port=server.port))

    def require(self, line: str) -> None:
        text = TOML.format(host=HOST, bin=self.bin, work=self.work, requirements=line)
        (self.root / "penstock.toml").write_text(text)

    def penstock(self, *words: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "penstock", *words, "-C", str(self.root)]
        return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=300)


@pytest.fixture
def campaign(tmp_path: Path, ssh: SshTransport, server: Sshd) -> Campaign:
    assert ssh.login() is False, "the fixture has logged in"
    if subprocess.run([*NO_NETWORK.split(), "true"], capture_output=True, check=False).returncode:
        pytest.skip("no network namespace can be made: run as root, or allow user namespaces")
    return Campaign(tmp_path / "lab", server)


@pytest.fixture
def numpy_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets pip find numpy's wheel without a network where the Python there is like ours."""
    if not Path(BARE).exists():
        pytest.skip(f"there is no {BARE}: install python3")
    there = subprocess.run([BARE, "-V"], capture_output=True, text=True, check=True).stdout.split()[1]
    if there.split(".")[:2] == [*platform.python_version_tuple()[:2]]:  # else from an index
        repack("numpy", tmp_path / "index")
        monkeypatch.setenv("PIP_NO_INDEX", "1")
        monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))


@pytest.mark.usefixtures("numpy_wheel")
def test_a_function_with_numpy_runs_at_a_bare_python_without_a_network(campaign: Campaign) -> None:
    assert subprocess.run([BARE, "-c", "import numpy"], capture_output=True, check=False).returncode == 1
    campaign.require('requirements = "numpy"')
    refused = campaign.penstock("check")
    assert refused.returncode == 2
    assert "are not installed there yet: run `penstock site provision far`" in refused.stderr
    made = campaign.penstock("site", "provision", "far")
    assert made.returncode == 0, made.stdout + made.stderr
    assert "installed: " in made.stdout
    done = campaign.penstock("run")
    assert done.returncode == 0, done.stdout + done.stderr
    (environment,) = (campaign.work / "store/env").iterdir()
    for number in range(3):
        text = (campaign.root / f"out/{number}.txt").read_text()
        assert text == f"5 2.0 no network {environment}/bin/python\n"
    again = campaign.penstock("site", "provision", "far")
    assert f"was there already: {environment}" in again.stdout
    assert again.stderr == ""
    assert "packages: numpy==" in campaign.penstock("site", "show", "far").stdout


def test_programs_that_cannot_run_there_are_told_before_any_job(campaign: Campaign) -> None:
    campaign.require("")
    (campaign.bin / "sbatch").write_text("#!/bin/sh\nexit 1\n")
    program = Path(shutil.which("ls") or "/bin/ls").read_bytes()
    newest = max(re.findall(rb"GLIBC_2\.\d\d(?=\0)", program))
    loader = re.search(rb"/lib[\w/.-]*/ld-[\w.-]+(?=\0)", program)
    assert loader
    for name, data in {
        "other": program[:18] + struct.pack("<H", 183) + program[20:],
        "newer": program.replace(newest, b"GLIBC_2.99"),
        "lost": program.replace(loader[0], loader[0][:-1] + b"X"),
        "fits": program,
    }.items():
        (campaign.root / name).write_bytes(data)
    text = (campaign.root / "penstock.toml").read_text()
    command = 'command = ["./fits", "other", "newer", "lost", "{path}"]'
    (campaign.root / "penstock.toml").write_text(
        text.replace('python = "sums:add"', command).replace('products = "out/{file}.txt"', "")
    )
    shown = campaign.penstock("site", "test", "far")
    assert shown.returncode == 1
    told = {line.split()[1].rstrip(","): line for line in shown.stdout.splitlines() if line.startswith("! ")}
    assert sorted(told) == ["lost", "newer", "other"]
    machine, (name, libc) = platform.machine(), platform.libc_ver()
    assert f"is compiled for aarch64, and the machine at {HOST} is {machine}" in told["other"]
    assert f"needs glibc 2.99, and {name} {libc} is what is at {HOST}" in told["newer"]
    assert f"X, which is not at {HOST}: compile it there" in told["lost"]
    assert "submitted" not in shown.stdout + shown.stderr

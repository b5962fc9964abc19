"""What people install: the wheel of the source distribution, away from the source, with each Python that it names."""

import json
import os
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from tests.pythons import find_old

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
VERSIONS = [word for line in PROJECT["classifiers"] if (word := line.rpartition(" ")[2]).startswith("3.")]
PIP = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check"]
pytestmark = pytest.mark.slow


def call(*argv: object, folder: Path, **environment: str) -> str:
    """Run a command as somebody who has nothing of ours; return what it prints."""
    ours = ("PENSTOCK", "PYTHON", "VIRTUAL_ENV")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    words = [str(word) for word in argv]
    done = subprocess.run(words, cwd=folder, env={**kept, **environment}, capture_output=True, text=True)
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the unpacked source distribution."""
    folder = tmp_path_factory.mktemp("dist")
    call(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", folder, folder=ROOT)
    with tarfile.open(next(folder.glob("*.tar.gz"))) as archive:
        archive.extractall(folder, filter="data")
    (source,) = folder.glob("penstock-*/")
    call(*PIP, "wheel", "--no-deps", "--no-build-isolation", "-w", folder, source, folder=folder)
    return next(folder.glob("*.whl"))


def use(folder: Path, *penstock: object) -> None:
    """Run a small campaign of a function in an empty folder; an editor's schema is there, too."""
    folder.mkdir()
    call(*penstock, "init", "--template", "python", folder=folder)
    (folder / "data").mkdir()
    (folder / "data/a.txt").write_text("three little words")
    assert (folder / ".penstock/schema.json").exists()
    ran = call(*penstock, "run", "--set", "units.settle=0s", folder=folder)
    assert "all done: 1 task" in ran
    status = json.loads(call(*penstock, "status", "--json", folder=folder))
    assert [stage["tasks"]["done"] for stage in status["stages"]] == [1]
    assert json.loads((folder / "results/a.json").read_text()) == {"words": 3, "scaled": 6.0}


def test_the_wheel_has_all_of_the_package_and_nothing_else(wheel: Path) -> None:
    package = ROOT / "src/penstock"
    ours = {
        f"penstock/{path.relative_to(package)}"
        for path in package.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    with zipfile.ZipFile(wheel) as archive:
        assert {name for name in archive.namelist() if ".dist-info/" not in name} == ours


def require_index(*argv: object, folder: Path) -> None:
    """Skip where an installer gets what we need from no package index; it may have other settings than pip."""
    if subprocess.run(
        [*map(str, argv), *PROJECT["dependencies"]], cwd=folder, capture_output=True
    ).returncode:
        pytest.skip(f"{Path(str(argv[0])).name} finds what penstock needs in no package index")


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of `pipx` and `uvx`."""
    folder = tmp_path_factory.mktemp("tools")
    require_index(*PIP, "download", "--retries", "0", "-d", "needed", folder=folder)
    call(sys.executable, "-m", "venv", "--without-pip", "env", folder=folder)
    call(*PIP, "--python", "env/bin/python", "install", "--no-compile", "pipx", "uv", folder=folder)
    return folder / "env/bin"


def test_pipx_installs_the_wheel(wheel: Path, tools: Path, tmp_path: Path) -> None:
    homes = {"PIPX_HOME": str(tmp_path / "home"), "PIPX_BIN_DIR": str(tmp_path / "bin")}
    call(tools / "pipx", "install", "--python", sys.executable, wheel, folder=tmp_path, **homes)
    use(tmp_path / "campaign", tmp_path / "bin/penstock")


@pytest.mark.parametrize("version", VERSIONS)
def test_uvx_runs_the_wheel_with_each_python(wheel: Path, tools: Path, tmp_path: Path, version: str) -> None:
    python = find_old(version)
    if not python:
        pytest.skip(f"there is no Python {version} here")
    require_index(tools / "uv", "pip", "install", "-q", "-p", python, "--target", "needed", folder=tmp_path)
    penstock = (tools / "uvx", "-q", "--python", python, "--from", wheel, "penstock")
    assert call(*penstock, "--version", folder=tmp_path).split()[-1] == wheel.name.split("-")[1]
    use(tmp_path / "campaign", *penstock)

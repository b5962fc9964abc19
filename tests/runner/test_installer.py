"""Environments made of wheels without pip, `venv` and a network, as a far Python makes them."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from tests.pythons import FAR, find_old
from tests.wheels import make_wheel

from penstock.runner.build import build_installer
from penstock.runner.survey import SAYS, is_whole

MODULE = "import sys\ndef main(): print('hello from', sys.prefix); return 3\nclass Deep:\n    run = staticmethod(main)\n"


class Far:
    """A folder there, with wheels that were sent."""

    def __init__(self, folder: Path, python: str = FAR) -> None:
        self.folder, self.python = folder, python
        self.work, self.target = folder / ".work", folder / "env of mine"
        self.work.mkdir(parents=True)
        (self.work / "installer.pyz").write_bytes(build_installer())

    def start(self, *damaged: str) -> subprocess.Popen[str]:
        names = sorted(path.name for path in self.work.glob("*.whl"))
        listing = [(name, "0" * 64 if name in damaged else digest_of(self.work / name)) for name in names]
        program = str(self.work / "installer.pyz")
        argv = [self.python, "-I", "-S", program, str(self.work), str(self.target), json.dumps(listing)]
        return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def install(self, *damaged: str) -> dict[str, Any]:
        said = self.start(*damaged).communicate(timeout=120)[0]
        line = next((line for line in said.splitlines() if line.startswith(SAYS)), None)
        assert line, said
        return json.loads(line.removeprefix(SAYS))

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        argv = [str(self.target / "bin" / words[0]), *words[1:]]
        return subprocess.run(argv, capture_output=True, text=True, check=False)


def digest_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def far(tmp_path: Path) -> Far:
    return Far(tmp_path)


def test_packages_are_seen_by_their_python_alone(far: Far) -> None:
    make_wheel(far.work, "tide", "2.1")
    assert far.install() == {"python": f"{far.target}/bin/python"}
    told = far.run(
        "python", "-c", "import os, tide; print(tide.version, *os.listdir(os.path.dirname(tide.__file__)))"
    )
    assert {"2.1", "tide.py", "tide-2.1.dist-info"} <= {*told.stdout.split()}, told.stderr
    assert far.run("python3", "-c", "import sys; print(sys.prefix)").stdout == f"{far.target}\n"
    assert far.run("python", "-c", "import numpy").returncode == 1, "nothing else of that Python is there"
    assert not far.work.exists(), "the wheels are not kept"


def test_modules_are_compiled_under_the_names_that_they_will_have(far: Far) -> None:
    make_wheel(far.work, "tide", files={"tide.py": "def fall():\n    raise ValueError\n"})
    far.install()
    assert list(far.target.glob("lib/*/site-packages/__pycache__/tide.*.pyc"))
    told = far.run("python", "-c", "import tide; tide.fall()")
    assert f'File "{far.target}/lib' in told.stderr


def test_a_spawned_process_and_a_program_of_a_package_find_it_too(far: Far) -> None:
    make_wheel(
        far.work, "tide", files={"tide.py": MODULE}, scripts="[console_scripts]\nTide = tide:Deep.run\n"
    )
    far.install()
    told = far.run("Tide")
    assert (told.stdout, told.returncode) == (f"hello from {far.target}\n", 3)
    script = far.folder / "spawns.py"
    script.write_text(
        "import multiprocessing, tide\nif __name__ == '__main__':\n"
        "    with multiprocessing.get_context('spawn').Pool(1) as pool: print(pool.apply(tide.main))\n"
    )
    assert far.run("python", str(script)).stdout.splitlines()[-1] == "3"


def test_files_go_to_the_places_that_a_wheel_names(far: Far) -> None:
    own = "tide-1.0.data"
    files = {
        f"{own}/purelib/pure.py": "",
        f"{own}/platlib/plat/__init__.py": "",
        f"{own}/scripts/tides": "#!python\nimport sys\nprint(sys.prefix)\n",
        f"{own}/scripts/plain": "#!/bin/sh\necho plain\n",
        f"{own}/data/share/tide/table.csv": "1,2",
        f"{own}/headers/tide.h": "",
    }
    make_wheel(far.work, "tide", files=files)
    far.install()
    assert far.run("python", "-c", "import pure, plat").returncode == 0
    assert far.run("tides").stdout == f"{far.target}\n"
    assert far.run("plain").stdout == "plain\n"
    assert (far.target / "share/tide/table.csv").read_text() == "1,2"
    assert (far.target / "include/tide/tide.h").exists()


@pytest.mark.parametrize(
    "name",
    [
        "../evil.py",
        "/tmp/evil.py",
        "a/../../evil.py",
        "a//evil.py",
        "./evil.py",
        "a\\..\\evil.py",
        "tide-1.0.data/scripts/../../../evil",
        "tide-1.0.data/elsewhere/evil",
        "tide-1.0.data/scripts",
    ],
)
def test_a_name_that_leads_out_is_refused(far: Far, name: str) -> None:
    make_wheel(far.work, "tide", files={"tide.py": "", name: "evil"})
    refused = far.install()["refused"]
    assert "tide-1.0-py3-none-any.whl has a file" in refused
    assert not far.target.exists()
    assert not [path for path in far.folder.rglob("*") if "evil" in path.name]


@pytest.mark.parametrize(
    "scripts", ["../evil = tide:main", "evil = tide:main; import os", "evil = tide", "no section"]
)
def test_a_program_that_is_no_function_of_a_module_is_refused(far: Far, scripts: str) -> None:
    head = "" if scripts == "no section" else "[console_scripts]\n"
    make_wheel(far.work, "tide", scripts=f"{head}{scripts}\n")
    assert "entry point" in far.install()["refused"]
    assert not far.target.exists()


def test_a_wheel_cannot_write_through_the_link_to_the_python(far: Far) -> None:
    before = Path(sys.executable).resolve().stat()
    for number in (1, 2):
        files = {f"tide{number}.py": "", f"tide{number}-1.0.data/scripts/python": "#!/bin/sh\necho evil\n"}
        make_wheel(far.work, f"tide{number}", files=files)
    far.install()
    assert far.run("python", "-c", "print(1)").stdout == "1\n"
    after = Path(sys.executable).resolve().stat()
    assert (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)


def test_what_two_wheels_have_is_that_of_the_last(far: Far) -> None:
    for name in ("aaa", "bbb"):
        make_wheel(far.work, name, files={"shared/__init__.py": f"by = {name!r}"})
    far.install()
    assert far.run("python", "-c", "import shared; print(shared.by)").stdout == "bbb\n"


def test_a_wheel_that_arrived_damaged_is_refused(far: Far) -> None:
    path = make_wheel(far.work, "tide")
    assert far.install(path.name) == {"refused": f"{path} arrived damaged"}
    assert not far.target.exists()
    assert path.exists(), "what is there is not sent again"


def test_a_file_that_is_no_wheel_is_refused(far: Far) -> None:
    (far.work / "tide-1.0-py3-none-any.whl").write_bytes(b"<html>log in to the network</html>")
    assert "is no wheel" in far.install()["refused"]


@pytest.mark.parametrize("lost", ["cut", "gone", "mark"])
def test_what_a_purge_took_a_part_of_is_made_again(far: Far, lost: str) -> None:
    wheel = make_wheel(far.folder, "tide")
    for _ in range(2):
        far.work.mkdir(exist_ok=True)
        (far.work / "installer.pyz").write_bytes(build_installer())
        (far.work / wheel.name).write_bytes(wheel.read_bytes())
        assert "python" in far.install()
        assert is_whole(str(far.target))
        (module,) = far.target.glob("lib/*/site-packages/tide.py")
        victim = far.target / "penstock.json" if lost == "mark" else module
        text = victim.read_bytes()
        victim.unlink()
        if lost == "cut":
            victim.write_bytes(text[:-1])
        assert not is_whole(str(far.target))
    assert [path.name for path in far.folder.iterdir() if path.name.startswith(".")] == []


def test_what_imports_compile_later_does_not_make_it_another(far: Far) -> None:
    make_wheel(far.work, "tide")
    far.install()
    assert far.run("python", "-O", "-c", "import tide").returncode == 0
    assert is_whole(str(far.target))


def test_two_who_install_the_same_at_once_get_one(tmp_path: Path) -> None:
    first, second = Far(tmp_path / "a"), Far(tmp_path / "b")
    second.target = first.target
    for far in (first, second):
        make_wheel(far.work, "tide", files={f"tide/m{n}.py": "x = 1\n" for n in range(200)})
    running = [far.start() for far in (first, second)]
    for process in running:
        assert '{"python"' in process.communicate(timeout=120)[0]
    assert is_whole(str(first.target))
    assert sorted(path.name for path in first.folder.iterdir()) == ["env of mine"]


def test_one_that_was_killed_is_thrown_away(far: Far) -> None:
    make_wheel(far.work, "tide", files={f"tide/m{n}.py": "x = 1\n" for n in range(500)})
    process = far.start()
    while not list(far.work.glob("env.*/lib/*/site-packages/tide/m9*.py")):
        assert process.poll() is None
    process.kill()
    process.wait()
    assert not far.target.exists()
    assert list(far.work.glob("env.*"))
    assert "python" in far.install()
    assert is_whole(str(far.target))
    assert not far.work.exists()


def test_programs_keep_their_mode(far: Far) -> None:
    with zipfile.ZipFile(make_wheel(far.work, "tide"), "a") as archive:
        entry = zipfile.ZipInfo("tide_helpers/solve")
        entry.external_attr = 0o100755 << 16
        archive.writestr(entry, "#!/bin/sh\necho solved\n")
    far.install()
    (program,) = far.target.glob("lib/*/site-packages/tide_helpers/solve")
    assert program.stat().st_mode & 0o111


def test_an_old_python_gets_an_environment_too(tmp_path: Path) -> None:
    if not (old := find_old()):
        pytest.skip("there is no Python 3.6 or 3.7 here")
    far = Far(tmp_path, old)
    files = {"tide.py": MODULE, "tide-1.0.data/scripts/tides": "#!python\nimport tide\ntide.main()\n"}
    make_wheel(far.work, "tide", files=files, scripts="[console_scripts]\nTide = tide:Deep.run\n")
    assert far.install() == {"python": f"{far.target}/bin/python"}
    assert far.run("Tide").stdout == far.run("tides").stdout == f"hello from {far.target}\n"
    assert is_whole(str(far.target))

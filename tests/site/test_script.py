"""The script of a job, as a shell runs it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from penstock.campaign import Site
from penstock.site.script import NO_FOLDER, NO_SETUP, Digests, job_script, remedy_for

NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=20)
TOLD = r"""#!/bin/sh
printf '%s\0' "$PWD" "$@" "$VALUE"
"""


def run(
    root: Path, *, setup: tuple[str, ...] = (), value: str = "", program: str | None = None
) -> tuple[int, bytes]:
    """Run a script whose runner only tells where it is and what it was given; return its exit code and its words."""
    root.mkdir(exist_ok=True)
    python = root / "python"
    python.write_text(TOLD)
    python.chmod(0o755)
    site = Site("c", "slurm", python=program or str(python), setup=setup, environment={"VALUE": value})
    script = root / "script.sh"
    words = root / "words"
    text = job_script(
        ["#SBATCH --x"], site, root=root, folder=root / "job", runner=root / "runner.pyz", words=words,
        digests=Digests("s", "t"),
    )  # fmt: skip
    script.write_text(text, encoding="utf-8", errors="surrogateescape")
    code = subprocess.run(
        ["/bin/sh", str(script)], check=False, cwd="/", env={"PATH": "/usr/bin:/bin"}
    ).returncode
    return code, words.read_bytes() if words.exists() else b""


@example("a b", "c d")
@example('it\'s $(touch x) `y` "z" \\', "$HOME\n#SBATCH --y\n")
@example("-e", "-n")
@given(
    NAMES.filter(lambda name: name not in (".", "..")),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
)
def test_no_name_and_no_value_is_anything_but_itself_to_the_shell(name, value):
    with TemporaryDirectory() as folder:
        root = Path(folder) / name
        code, words = run(root, value=value)
        assert code == 0
        assert words.decode() == "\0".join(
            [str(root), "-X", "utf8", f"{root}/runner.pyz", f"{root}/job", value, ""]
        )


def test_directives_stand_before_the_first_command():
    site = Site("c", "slurm", environment={"VALUE": "x\n#SBATCH --y"})
    text = job_script(
        ["#SBATCH --x"], site, root=Path("/r"), folder=Path("/r/j"), runner=Path("/r/p"), words=Path("/r/w"),
        digests=Digests("s", "t"),
    )  # fmt: skip
    head = text.partition("cd /r")[0].splitlines()
    assert head == ["#!/bin/sh", "#SBATCH --x", "# spec s", "# tasks t"]


def test_a_setup_is_seen_by_the_runner(tmp_path):
    code, words = run(tmp_path, setup=("VALUE=new", "cd /"))
    assert (code, words.split(b"\0")[0], words.split(b"\0")[-2]) == (0, b"/", b"new")


@pytest.mark.parametrize("line", ["false", "exit 3", "nosuchcommand", ". /nosuch/file"])
def test_the_first_line_of_a_setup_that_fails_ends_the_element_and_says_so(tmp_path, line):
    code, words = run(tmp_path, setup=("true", line, "echo later"))
    assert code == NO_SETUP
    assert b"a line of the set-up failed" in words
    assert b"later" not in words


def test_a_runner_that_is_not_there_is_no_fault_of_the_setup(tmp_path):
    code, words = run(tmp_path, setup=("true",), program="/nosuch/python3")
    assert (code, b"set-up" in words) == (127, False)


def test_an_element_without_its_folder_says_so_by_its_exit_code(tmp_path):
    site = Site("c", "slurm")
    text = job_script(
        [], site, root=tmp_path / "gone", folder=tmp_path, runner=tmp_path, words=tmp_path / "w", digests=Digests("s", "t")
    )  # fmt: skip
    assert (
        subprocess.run(["/bin/sh", "-c", text], check=False, stderr=subprocess.DEVNULL).returncode
        == NO_FOLDER
    )


@pytest.mark.parametrize(
    ("program", "remedy"),
    [
        ("/nosuch/python3", "correct the site's `python`, `container` or `setup`"),
        ("/far/store/env/ab/bin/python", "install its `requirements` again with `penstock site provision`"),
    ],
)
def test_the_remedy_for_a_python_that_is_not_there_is_what_brought_it(tmp_path, program, remedy):
    _, words = run(tmp_path, program=program)
    assert remedy_for(words.decode()) == remedy

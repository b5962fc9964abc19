"""What goes to the far side must run on Python 3.6 with nothing installed: the runner, and the script of a sweep's point."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.pythons import find_old

import penstock.runner

RUNNER = Path(penstock.runner.__file__).parent
SOURCES = [*sorted(RUNNER.rglob("*.py")), RUNNER.parent / "workflows/sweep/job.py"]
GUARDED = ("os.posix_spawn", "os.POSIX_SPAWN_DUP2")  # behind hasattr in spawn.py


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_the_syntax_is_that_of_python_3_6(path):
    ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 6))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_nothing_but_the_standard_library_and_the_runner_is_imported(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level <= len(path.relative_to(RUNNER.parent).parts) - 1, ast.unparse(node)
            names = [node.module or ""] if node.level == 0 else []
        else:
            continue
        for name in names:
            assert name.partition(".")[0] in sys.stdlib_module_names, ast.unparse(node)


def test_no_name_newer_than_python_3_6_is_used_unguarded():
    pytest.importorskip("vermin", reason="vermin is not installed")
    excluded = [word for name in GUARDED for word in ("--exclude", name)]
    vermin = [sys.executable, "-c", "import sys, vermin; sys.exit(vermin.main())"]
    argv = [*vermin, "-t=3.6", "--violations", "--no-tips", "--no-config-file", *excluded]
    done = subprocess.run([*argv, *map(str, SOURCES)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_a_real_old_python_runs_commands_and_functions(lab):
    old = find_old()
    if old is None:
        pytest.skip("there is no Python 3.6 or 3.7 here")
    lab.function(
        "import sys\ndef run(task):\n    task.product().write_text('é')\n    return list(sys.version_info[:2])"
    )
    lab.stage("slow", limit_s=0.2)
    lab.batch(
        [
            lab.shell(1, 'cat; echo hi; : > "$P"', products=lab.product("a b/é")),
            lab.python(2, products=lab.product("b")),
            lab.command(3, "nope"),
            lab.command(4, "sleep", "60", stage="slow"),
        ]
    )
    lab.close()
    lab.write_spec()
    environ = {"PATH": os.environ["PATH"], "LANG": "C"}
    subprocess.run([old, str(lab.program), str(lab.job)], env=environ, check=True, timeout=30)
    ends = lab.ends()
    assert [ends[unit]["o"] for unit in (1, 2, 3, 4)] == ["ok", "ok", "error", "timeout"]
    assert ends[2]["result"][0] == 3
    assert ends[2]["result"][1] <= 7
    assert "was not found" in ends[3]["why"]
    assert (lab.root / "a b/é").exists()
    assert lab.leftovers() == []

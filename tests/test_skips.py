"""The line that says what was skipped, and how to have it."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.skips import summarize, want_of

ROOT = Path(__file__).parents[1]


def test_each_kind_is_counted_once_most_first():
    reasons = ["a cluster's daemons need root", "a cluster's daemons need root", "/bin/sh is not dash here"]
    assert summarize(reasons) == (
        "skipped: 2 of schedulers: as root on Debian 12 they install them; 1 others: see above"
    )
    assert summarize([]) == ""


def reasons_in_the_tests() -> list[str]:
    """Return the reasons that are written out in the tests."""
    calls = [
        node
        for path in (ROOT / "tests").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and re.search(r"skip|Unavailable$", ast.unparse(node.func))
    ]
    words = [word for call in calls for word in (*call.args, *(k.value for k in call.keywords))]
    return [w.value for w in words if isinstance(w, ast.Constant) and " " in str(w.value)]


@pytest.mark.parametrize("reason", reasons_in_the_tests())
def test_the_remedy_of_each_reason_is_known(reason):
    if reason not in ("/bin/sh is not dash here", "vermin is not installed"):
        assert "others" not in want_of(reason)


def test_the_line_stands_at_the_end_of_a_run(tmp_path):
    (tmp_path / "conftest.py").write_text("from tests.conftest import pytest_terminal_summary\n")
    (tmp_path / "test_one.py").write_text(
        "import pytest\ndef test_a(): pytest.skip('needs the right to mount')\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)]
    done = subprocess.run([*command, str(tmp_path)], cwd=ROOT, capture_output=True, text=True)
    assert "skipped: 1 of mounts and limits" in done.stdout, done.stdout

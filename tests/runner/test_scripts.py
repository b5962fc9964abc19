"""Scripts for `{python}`: a worker runs them, and they see no difference to a Python of their own."""

import time
from typing import Any

import pytest

PYTHON = {"ref": "python"}


@pytest.fixture
def script(lab):
    """Write a script, and return the line of a task that runs it."""

    def write(unit: int, text: str, *words: Any, **more: Any) -> dict[str, Any]:
        (lab.root / "tool.py").write_text(text)
        return lab.command(unit, PYTHON, "./tool.py", *words, **more)

    return write


SAYING = """
import os, sys
print(__name__, os.path.basename(sys.argv[0]), sys.argv[1:], os.path.basename(__file__), os.environ.get("X"))
assert "seen" not in globals()
seen = True
with open(sys.argv[1], "w") as file:
    file.write(str(os.getpid()))
"""


def test_one_process_runs_one_after_the_other_each_as_if_it_were_the_first(lab, script):
    lab.stage("named", environment={"X": "é"})
    lines = [
        script(n, SAYING, {"ref": "product"}, f"$({n})", stage="named", products=lab.product(f"out/{n}"))
        for n in (1, 2, 3)
    ]
    lab.run(lines)
    assert {end["o"] for end in lab.ends().values()} == {"ok"}
    assert len({(lab.root / f"out/{n}").read_text() for n in (1, 2, 3)}) == 1
    said = [lab.log(end) for end in lab.ends().values()]
    assert all(text.startswith("__main__ tool.py [") and text.endswith(" tool.py é\n") for text in said)
    assert "'$(2)'" in said[1]
    assert lab.leftovers() == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("import sys; sys.exit(7)", "tool.py ended with exit code 7"),
        ("raise SystemExit('it diverged')", "tool.py ended with exit code 1: it diverged"),
        ("1 / 0", "tool.py ended with exit code 1: ZeroDivisionError: division by zero"),
        ("import os; os._exit(3)", "tool.py ended with exit code 3"),
        ("import os; os.kill(os.getpid(), 9)", "tool.py was killed by SIGKILL"),
        ("import os, sys\nif os.fork() == 0: sys.exit(5)\nos.wait(); sys.exit(2)", "tool.py ended with exit code 2"),
    ],
)  # fmt: skip
def test_it_ends_as_a_program_does(lab, script, text, why):
    end = lab.end(script(1, text))
    assert (end["o"], end["why"]) == ("error", why)


def test_a_traceback_begins_in_the_script(lab, script):
    end = lab.end(script(1, "def f():\n    raise OSError('no')\nf()\n"))
    lines = lab.log(end).splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert 'tool.py", line 3, in <module>' in lines[1]


def test_what_is_no_script_is_told(lab, script):
    end = lab.end(script(1, "def f(:\n"))
    assert end["why"].startswith("the script ")
    assert "is not Python" in end["why"]
    assert end["o"] == "error"


def test_a_missing_script_is_told(lab):
    end = lab.end(lab.command(1, PYTHON, "./nowhere.py"))
    assert "nowhere.py cannot be read: No such file or directory" in end["why"]


def test_a_script_that_changed_is_run_as_it_is_now(lab):
    tool = lab.root / "tool.py"
    tool.write_text("open('tool.py', 'a').write('# more\\nimport sys; sys.exit(4)\\n')\n")
    lab.run([lab.command(1, PYTHON, "./tool.py"), lab.command(2, PYTHON, "./tool.py")])
    assert [end["o"] for end in lab.ends().values()] == ["ok", "error"]


def test_its_limit_ends_it_with_what_it_started(lab, script):
    lab.stage("slow", limit_s=0.3)
    text = "import subprocess; print(subprocess.run(['sleep', '60']))"
    begun = time.monotonic()
    lab.run([script(1, text, stage="slow"), lab.command(2, "true")])
    assert time.monotonic() - begun < 20
    assert [end["o"] for end in lab.ends().values()] == ["timeout", "ok"]


def test_a_handler_of_its_own_may_save_something_before_the_limit_ends_it(lab, script):
    lab.stage("slow", limit_s=0.3)
    text = """
import signal, sys, time
def save(number, frame):
    open("saved", "w").close()
    sys.exit(1)
signal.signal(signal.SIGTERM, save)
time.sleep(60)
"""
    lab.run([script(1, text, stage="slow")])
    assert lab.ends()[1]["o"] == "timeout"
    assert (lab.root / "saved").exists()


def test_what_it_leaves_running_is_ended_and_its_result_stands(lab, script):
    text = "import subprocess, sys; subprocess.Popen(['sleep', '60']); open(sys.argv[1], 'w').close()"
    lines = [script(n, text, {"ref": "product"}, products=lab.product(f"{n}.txt")) for n in (1, 2)]
    lab.run(lines)
    assert [end["o"] for end in lab.ends().values()] == ["ok", "ok"]
    assert "the task left the process sleep" in lab.log(lab.ends()[1])


def test_threads_of_its_own_are_waited_for(lab, script):
    text = """
import threading, time
def work():
    time.sleep(0.2)
    open("worked", "w").close()
threading.Thread(target=work).start()
"""
    assert lab.end(script(1, text))["o"] == "ok"
    assert (lab.root / "worked").exists()


def test_the_log_rule_of_success_holds(lab, script):
    lab.stage("said", success_log="converged")
    lab.run([script(1, "print('converged')", stage="said")])
    assert lab.ends()[1]["o"] == "ok"


def test_without_what_success_requires_it_failed(lab, script):
    lab.stage("said", success_log="converged")
    assert lab.end(script(1, "print('diverged')", stage="said"))["o"] == "error"


LARGE = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'len(bytes([1]) * (150 << 20))'])"


def test_memory_of_what_it_starts_counts_for_it_alone(lab, script):
    (lab.root / "small.py").write_text("")
    lab.run([script(1, LARGE), lab.command(2, PYTHON, "./small.py")])
    large, small = (lab.ends()[unit]["rss"] for unit in (1, 2))
    assert large > 150e6 > small


def test_memory_of_what_a_function_starts_counts_too(lab):
    lab.function(f"def run(task):\n    {LARGE}")
    lab.run([lab.python(1), lab.python(2)])
    assert lab.ends()[1]["rss"] > 150e6

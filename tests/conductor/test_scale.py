"""Many units: few files in the bookkeeping, few processes."""

import os

MANY = """
[stage.p]
each = "unit"
python = "lab:f"
"""
LAB = """
import os
with open("processes", "a") as file:
    file.write(f"{os.getpid()}\\n")
def f(task):
    return None
"""


def test_twenty_thousand_units_need_few_files_and_few_processes(lab):
    lab.write("lab.py", LAB)
    assert lab.define(MANY, units=20_000).run().code == 0
    assert lab.states("p") == {"done": 20_000}
    kept = [name for _, _, names in os.walk(lab.root / ".penstock") for name in names]
    assert len(kept) <= 20
    assert len(lab.runs("processes")) <= 4


def test_a_settled_job_is_one_file_and_its_logs_can_be_read(lab):
    lab.define(
        '[stage.a]\neach = "unit"\ncommand = ["sh", "-c", "echo said by $0", "{unit}"]\n', units=3
    ).run()
    jobs = lab.root / ".penstock/jobs"
    assert {path.suffix for path in jobs.iterdir()} == {".zip", ".pyz"}
    assert lab.command("log", "u2").stdout == "said by u2\n"

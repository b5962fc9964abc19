"""A site's container: tasks run in it, and another image makes stale what was done."""

import os
from pathlib import Path

import pytest

STAGE = """[stage.a]
each = "unit"
command = ["sh", "-c", "echo $IMAGE > $0", "{product}"]
products = "a/{unit}"
[site.local]
cores = 1
container = "lab-1.sif"
"""
HEAD = '[campaign]\nname = "lab"\nlevels = ["unit"]\n[units]\ntable = "units.csv"\n'
#: what stands in for apptainer tells its image, and runs the rest here
APPTAINER = """#!/bin/sh
shift
while [ "$1" = --bind ]; do shift 2; done
IMAGE=$1; export IMAGE; shift
exec "$@"
"""


@pytest.fixture
def image(lab, monkeypatch: pytest.MonkeyPatch):
    path: Path = lab.write("bin/apptainer", APPTAINER)
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{path.parent}{os.pathsep}{os.environ['PATH']}")
    return lab.define(STAGE, head=HEAD, units=1)


def test_tasks_of_this_machine_run_in_the_container_of_their_site(image):
    assert image.run().code == 0
    assert image.read("a/u1") == "lab-1.sif\n"


def test_another_image_makes_stale_what_was_done_and_why_names_it(image):
    assert image.run().code == 0
    image.define(STAGE.replace("lab-1", "lab-2"), head=HEAD)
    assert image.run().code == 0
    assert image.read("a/u1") == "lab-1.sif\n"
    said = image.command("why", "u1").stdout
    assert "the container: lab-1.sif → lab-2.sif" in said
    assert image.run(stale=True).code == 0
    assert image.read("a/u1") == "lab-2.sif\n"


def test_a_container_that_cannot_be_started_says_what_to_correct(image):
    (image.root / "bin/apptainer").write_text("#!/bin/none\n")
    ended = image.command("run")
    assert ended.returncode != 0
    assert "correct its `python` or `container`" in ended.stdout + ended.stderr

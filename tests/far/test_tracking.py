"""Maps of a campaign over SSH are those of one process."""

from __future__ import annotations

import sys

from tests.far.lab import Lab
from tests.sshd import HOST
from tests.workflows.tracking.alone import assert_as_alone, set_up

SITE = f"""
[site.far]
host = "{HOST}"
python = "{sys.executable}"
visibility = "200ms"
"""


def test_maps_over_ssh_are_those_of_one_process(lab: Lab) -> None:
    lab.root.mkdir()
    set_up(lab.root, "far", SITE)
    lab.login()
    done = lab.penstock("run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert ("far",) in lab.rows("SELECT DISTINCT site FROM job")
    assert_as_alone(lab.root)

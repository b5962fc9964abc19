"""What it costs to hand a hundred thousand units to a cluster that only pretends."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from bench.campaigns import make
from bench.measure import Cost, run

UNITS = 100_000
BATCH, ARRAY = 50, 1000

STAGE = f"""
[site.pretend]
scheduler = "slurm"

[stage.touch]
each = "n"
command = ["touch", "{{product}}"]
products = "out/{{n}}"
batch = {BATCH}
site = "pretend"
"""

SUBMIT = """
import resource
from pathlib import Path
from penstock import config
from penstock.conductor import Conductor
from penstock.testing import ManualClock, PretendCluster
clock, root = ManualClock(), Path(".").absolute()
campaign = config.load(root)
cluster = PretendCluster(clock, slots=0)
there = {"pretend": cluster.site(campaign.sites["pretend"], root)}
with Conductor(campaign, command="run", clock=clock, clusters=there) as conductor:
    conductor.discover()
    before = resource.getrusage(resource.RUSAGE_SELF)
    given = conductor.submit().given
    after = resource.getrusage(resource.RUSAGE_SELF)
    print(given, len(cluster.jobs), after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
"""


def submitting(scratch: Path) -> Callable[[], Cost]:
    """Prepare units of a table; measure finding and submitting them all, of which the second alone must be cheap."""

    def submit() -> Cost:
        folder = make(scratch / "submitting", STAGE, UNITS)
        whole = run([sys.executable, "-c", SUBMIT], cwd=folder)
        given, jobs, cpu = (folder / "output.txt").read_text().split()
        if int(given) != UNITS or int(jobs) != UNITS // (BATCH * ARRAY):
            raise RuntimeError(f"{given} units went out in {jobs} jobs: see {folder}")
        return Cost(float(cpu), whole.wall_s, whole.peak_bytes)

    return submit

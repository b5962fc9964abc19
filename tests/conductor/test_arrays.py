"""What goes together in an array, whatever happened to its tasks before."""

import json
import math
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.conductor.grid import Grid

from penstock.testing import Outcome, Run

LIMIT_S, MEMORY_MB = 600.0, 1000
STAGE = """
[stage.copy]
each = "run"
command = ["cp", "x", "{{product}}"]
products = "out/{{night}}/{{run}}.txt"
batch = {batch}
resources = {{ walltime = "10min", memory = "1000MiB" }}
"""
FIRST = {
    "well": Outcome(seconds=30),
    "slow": Outcome(seconds=900),
    "large": Outcome("out_of_memory", 5),
    "kills its runner": Outcome(seconds=20, then="dies"),
    "kills its runner at once": Outcome(then="dies"),
}


def element_tasks(it: Grid, number: int, element: int) -> list[dict[str, Any]]:
    """Return the tasks that an element was given."""
    job = it.job(number)
    runner = it.cluster.lives[job.folder, element].runners[0]
    return [task for line in bytes(runner.fed).splitlines() if "u" in (task := json.loads(line))]


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@example(ends=["kills its runner"] * 8, batch=2, array_size=1, max_jobs=9, fresh=True)
@example(ends=["slow", "well", "large"] * 2, batch=1, array_size=4, max_jobs=1, fresh=False)
@example(ends=["slow"] * 3, batch=9, array_size=4, max_jobs=1, fresh=False)
@given(
    ends=st.lists(st.sampled_from(sorted(FIRST)), min_size=3, max_size=8),
    batch=st.integers(1, 9),
    array_size=st.integers(1, 4),
    max_jobs=st.sampled_from([1, 9]),
    fresh=st.booleans(),
)
def test_what_goes_together_needs_the_same_and_has_time_for_it(
    tmp_path: Path, ends: list[str], batch: int, array_size: int, max_jobs: int, fresh: bool
) -> None:
    def rule(run: Run) -> Outcome:
        first = ends[int(run.key.rpartition("/")[2])]
        return FIRST[first] if run.number == 1 or first == "slow" else Outcome(seconds=30)

    with tempfile.TemporaryDirectory(dir=tmp_path) as folder:
        it = Grid(
            Path(folder), STAGE.format(batch=batch), units=len(ends),
            site=f"max_walltime = '1h'\nmax_jobs = {max_jobs}\n", rule=rule, array_size=array_size, slots=8,
            fresh=fresh,
        )  # fmt: skip
        it.run()
        tried = dict[int, str]()
        for number, job in enumerate(it.cluster.jobs):
            batches = [element_tasks(it, number, element) for element in job.elements]
            limits = {task.get("limit_s", LIMIT_S) for tasks in batches for task in tasks}
            assert len(job.elements) <= array_size
            assert len(limits) == 1
            largest, limit = max(map(len, batches)), limits.pop()
            assert largest <= batch
            assert largest == 1 or largest * limit + 90 <= 3600
            assert job.walltime_s == min(3600, 60 * math.ceil((largest * limit + 90) / 60))
            assert job.memory_mb is not None
            for tasks in batches:
                before = [tried.get(task["u"], "") for task in tasks]
                assert len(tasks) == 1 or not {"out_of_memory", "lost"} & set(before)
                assert {"out_of_memory": 2 * MEMORY_MB}.get(before[0], MEMORY_MB) == job.memory_mb
            sql = "SELECT unit, outcome FROM attempt WHERE job = (SELECT id FROM job WHERE token = ?)"
            tried.update(it.rows(sql, job.name))
        assert len(tried) == len(ends)

"""Vary the inputs of a simulation: programs, the points of a sweep, the input files of each.

```python
from pathlib import Path

from penstock.workflows.sweep import extend, plan_sweep, read_points, read_sweep, write_points

sweep = read_sweep(Path("sweep.toml"))
plan = plan_sweep(sweep)
table = Path("points.csv")
write_points(table, extend(read_points(table, sweep.program), plan))
for row in plan.rows:
    files = sweep.program.render(plan.values(row))
```
"""

from penstock.workflows.sweep.legacy import import_template
from penstock.workflows.sweep.plan import Plan, describe_plan, plan_sweep
from penstock.workflows.sweep.points import Point, Points, count_changes, extend, read_points, write_points
from penstock.workflows.sweep.program import Program, find_program
from penstock.workflows.sweep.programfile import read_program
from penstock.workflows.sweep.results import Results, read_results
from penstock.workflows.sweep.sweep import Sweep, read_sweep
from penstock.workflows.sweep.template import Template
from penstock.workflows.sweep.value import Value
from penstock.workflows.sweep.variable import Variable

__all__ = [
    "Plan",
    "Point",
    "Points",
    "Program",
    "Results",
    "Sweep",
    "Template",
    "Value",
    "Variable",
    "count_changes",
    "describe_plan",
    "extend",
    "find_program",
    "import_template",
    "plan_sweep",
    "read_points",
    "read_program",
    "read_results",
    "read_sweep",
    "write_points",
]

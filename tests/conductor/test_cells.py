"""What was made of a notebook's cells goes when no definition names it any more, and not before."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conductor.conftest import Lab

from penstock.conductor import Conductor
from penstock.config.saved import CELLS, FILE
from penstock.host import this_process

USED, READ, SAVED, OLD, OTHER = (12 * letter for letter in "abcde")
STAGE = """
[stage.count]
each = "unit"
python = "penstock_cells.count_{}:count"
"""
NEEDED = {
    f"count_{USED}.py", f"weights_{READ}.npy", f"sum_{SAVED}.py", "mine.py", f"young_{OLD}.py", "table_1.csv",
}  # fmt: skip
NOT_NEEDED = {
    f"count_{OLD}.py", f"weights_{OTHER}.npy", f"model_{OTHER}.pickle", f"units_{OLD}.csv",
    f"__pycache__/count_{OLD}.cpython-311.pyc", f".count_{OLD}.py.4711",
}  # fmt: skip


@pytest.fixture
def conductor(lab: Lab) -> Iterator[Conductor]:
    """One of a campaign with all of that, an hour and more old but for what is young."""
    for name in NEEDED | NOT_NEEDED:
        text = f"# weights_{READ}.npy\ndef count(task): return 1\n"
        file = lab.write(f"{CELLS}/{name}", text if USED in name else "")
        os.utime(file, None if "young" in name else (1000, 1000))
    kernel = {name: getattr(this_process(), name) for name in this_process().__dataclass_fields__}
    tables = {"stage": {"sum": {"python": f"{CELLS}.sum_{SAVED}:total"}}}
    lab.write(str(FILE), json.dumps({"kernel": kernel, "tables": tables}))
    with lab.define(STAGE.format(USED), units=1).conductor() as conductor:
        yield conductor


def there(root: Path) -> set[str]:
    folder = root / CELLS
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    return {name for name in names if USED not in name or name.endswith(".py")}


def test_a_run_leaves_what_a_definition_names(conductor: Conductor) -> None:
    assert conductor.run().code == 0
    assert there(conductor.campaign.root) == NEEDED


def test_nothing_goes_while_a_job_is_out(conductor: Conductor) -> None:
    conductor.ledger.db.execute(
        "INSERT INTO job (token, site, epoch, elements, feed, folder, state, created)"
        " VALUES ('p1', 'local', 1, 1, 1, 'jobs', 'submitted', 1.0)"
    )
    conductor.crew.leave_cells()
    assert there(conductor.campaign.root) == NEEDED | NOT_NEEDED

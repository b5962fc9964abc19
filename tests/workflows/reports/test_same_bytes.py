"""What is made again after a kill has the same bytes, format by format: in another process, on another day."""

import os
import subprocess
import sys

import pytest

FIGURE = """
from penstock.workflows.reports.figure import entitle, make_timed, write_figure
def paint(figure, axes):
    axes.plot([1.6e9, 1.6e9 + 3600, 1.6e9 + 7200], [1, 3, 2], label="µPa")
    axes.legend()
    entitle(axes, "levels")
write_figure((4, 3), path, paint)
"""
MAKERS = {
    "figure.png": FIGURE,
    "figure.pdf": FIGURE,
    "picture.png": """
import numpy as np
from penstock.workflows.reports.png import encode
path.write_bytes(encode(np.arange(200, dtype="u1").reshape(10, 20), bytes(range(256)) * 3))
""",
    "page.html": """
from penstock.workflows.reports.page import write_page
write_page(path, "<p>{{ level }} dB</p>", title="levels", facts=[("run", 3)], level=90)
""",
    "tables.h5": """
import h5py
from penstock.workflows.stores.merging import merge_events
part = path.with_name(f"part-{seed}.h5")
with h5py.File(part, "w") as file:
    file["events/id"] = [1, 2, 3]
    file.attrs.update({"software": "lab 1.0", "window": [1.0, 2.0]})
merge_events([part, part], path)
""",
    "arrays.nc": """
import numpy as np
from penstock.workflows.stores.netcdf import Store
with Store(path) as store:
    store.dimension("time", np.arange(4.0), units="s")
    store.deflated("level", ("time",), np.arange(4.0, dtype="f4"), units="dB")
    store.describe({"title": "levels"})
""",
}


def make(folder, name, seed):
    """Make a file in a process of its own, in another order of hashes, in another time zone, on another day."""
    path = folder / str(seed) / name
    path.parent.mkdir(parents=True)
    text = f"""
import time, datetime
from pathlib import Path
path, seed = Path({str(path)!r}), {seed}
real = time.time
time.time = lambda: real() + seed * 86400
{MAKERS[name]}"""
    zone = ("UTC", "Asia/Tokyo")[seed]
    env = {**os.environ, "PYTHONHASHSEED": str(seed + 1), "TZ": zone}
    env.pop("SOURCE_DATE_EPOCH", None)
    subprocess.run([sys.executable, "-c", text], env=env, check=True)
    return path.read_bytes()


@pytest.mark.parametrize("name", MAKERS)
def test_the_bytes_are_the_same(tmp_path, name):
    first, second = (make(tmp_path, name, seed) for seed in (0, 1))
    assert first == second
    assert b"CreationDate" not in first

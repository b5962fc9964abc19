"""The stages of a detector campaign, as the runner calls them: each takes a task.

Parameters of those that read frames: `dataset`, where the frames are in each file; `select`, a table of `Selection`; `known`, a
table with `path`, `polarity` and perhaps `dataset` of a mask; every other word is one of `Settings`. `patience` is for
how many seconds a run that is incomplete may stay as it is.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.errors import DefinitionError
from penstock.workflows.detector.faults import Incomplete, Refused, Unreadable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from penstock.runner.task import Task
    from penstock.workflows.detector.frames import Run
    from penstock.workflows.detector.passes import Measured
    from penstock.workflows.detector.settings import Settings

OWN = ("dataset", "select", "known", "patience", "part_frames")
PATIENCE = 86400.0
PART = 5000  # frames of a part


def setup() -> None:
    """Load the numerical libraries once a worker."""
    import penstock.workflows.detector.page  # noqa: F401
    import penstock.workflows.detector.passes  # noqa: F401


def status(task: Task) -> dict[str, Any]:
    """Judge the pixels of a run in one pass (each = "run"), from the files of `task.fields["paths"]` or `["path"]`.

    Products `status` (HDF5), `page` (HTML) and `pictures` (a folder beside the page). A run that can never be read
    fails for good; an incomplete one fails to be tried again, and for good once it has not changed for `patience`.
    """
    from penstock.workflows.detector.passes import measure

    with _failing(task):
        run, settings = _open(task), _settings(task)
        return _write(task, measure(run, settings, _known(task, run)))


def split(task: Task) -> dict[str, Any]:
    """Make parts of a run, of `params.part_frames` frames each (each = "run", expands = "part")."""
    with _failing(task):
        frames, size = len(_open(task)), int(task.params.get("part_frames", PART))
    for number, first in enumerate(range(0, max(1, frames), size)):
        task.expand(part=number, first=first, last=min(first + size, frames))
    return {"frames": frames}


def sums(task: Task) -> dict[str, Any]:
    """Sum the frames of a part (each = "part"), by gates that all parts find alike; product `product` (HDF5)."""
    from penstock.workflows.detector.passes import sum_part
    from penstock.workflows.detector.products import write_sums

    with _failing(task):
        run = _open(task)
        made = sum_part(run, _settings(task), first=task.fields["first"], last=task.fields["last"])
    write_sums(task.product(), made)
    return {"frames": made.frames, "told": run.told}


def merge(task: Task) -> dict[str, Any]:
    """Judge the pixels of a run from its parts (each = "run", after = their sums); products as of `status`."""
    from penstock.workflows.detector.passes import Measured, tell_sentinels
    from penstock.workflows.detector.products import merge_sums
    from penstock.workflows.detector.status import judge

    with _failing(task):
        run = _open(task)
        made = merge_sums(_inputs(task))
        judged = judge(made, _settings(task), _known(task, run))
        left_out = len(run) - made.frames
        told = [f"{left_out} frames left out: blank, or a sentinel in every pixel"] if left_out else []
        return _write(task, Measured(judged, [*run.told, *told, *tell_sentinels(made)]))


def deploy(task: Task) -> dict[str, Any]:
    """Put the map of a run in force from that run on (each = "run", after = the process); it makes no product.

    Parameters: `calib` (with placeholders: `/data/{instrument}/{experiment}/calib`), `group`, `source`, perhaps `kind` and
    `detector`; `conditions`, a table of `Conditions`. The last value of the key is the run's number. What is refused
    fails for good, and changes nothing.
    """
    from penstock.workflows.detector.deploying import Conditions, place_of
    from penstock.workflows.detector.deploying import deploy as put_in_force
    from penstock.workflows.detector.products import read_product
    from penstock.workflows.detector.settings import check_words

    made = next((path for path in _inputs(task) if path.suffix == ".h5"), None)
    if made is None:
        task.log("nothing to deploy: the run was only marked as processed")
        return {}
    with _failing(task):
        given = task.params
        check_words(Conditions, given.get("conditions", {}), "condition of a deployment")
        place = place_of(given, task.fields)
        chosen = {
            "detector": given.get("detector", ""),
            "conditions": Conditions(**given.get("conditions", {})),
        }
        found = put_in_force(place, int(task.key[-1]), read_product(made).arrays.get("status"), **chosen)
    task.log(str(found))
    return {"bad": found.bad, "newly_bad": found.newly_bad, "newly_good": found.newly_good}


def trend(task: Task) -> dict[str, Any]:
    """Show how the pixels went from run to run (each = "experiment", after = the process, members = "done").

    Products `page` (HTML), `picture` (PNG) and `table` (CSV, a run a line); none if no run has a result. `params.pages`
    says where the page of a run is, as seen from `page`, with placeholders.
    """
    made = [path for path in _inputs(task) if path.suffix == ".h5"]
    if not made:
        task.log("nothing to show: all runs were only marked as processed")
        return {}
    from penstock.units import Template
    from penstock.workflows.detector.trend import read_trend, write_trend

    runs = read_trend(made)
    title = f"Pixels of {'/'.join(map(str, task.key))}, run by run"
    pages, (instrument, experiment, *_) = task.params.get("pages"), task.key
    named = {"instrument": instrument, "experiment": experiment}
    link = (lambda run: Template.parse(pages).render(named | {"run": run}, in_path=True)) if pages else None
    beside = {name: task.product(name) for name in ("picture", "table")}
    write_trend(task.product("page"), runs, title, **beside, link=link)
    return {"runs": len(runs), "judged": sum(run.judged for run in runs)}


def _inputs(task: Task) -> list[Path]:
    return [path for paths in task.inputs.values() for path in paths]


def _paths(task: Task) -> list[Path]:
    fields = task.fields
    return [Path(each) for each in fields.get("paths") or [fields["path"]]]


def _open(task: Task) -> Run:
    from penstock.workflows.detector.frames import DATASET, open_run
    from penstock.workflows.detector.selection import Selection
    from penstock.workflows.detector.settings import check_words

    chosen: Mapping[str, Any] = task.params.get("select") or {}
    check_words(Selection, chosen, "way to select frames")
    selection = Selection(**{**chosen, "codes": tuple(chosen.get("codes", ()))}) if chosen else None
    return open_run(_paths(task), task.params.get("dataset", DATASET), selection)


def _settings(task: Task) -> Settings:
    from penstock.workflows.detector.settings import Settings

    return Settings.read({word: value for word, value in task.params.items() if word not in OWN})


def _known(task: Task, run: Run) -> NDArray[np.bool_] | None:
    from penstock.workflows.detector.masks import PIXEL_MASK, Mask

    given = task.params.get("known")
    if not given:
        return None
    read = Mask.read(Path(given["path"]), given["polarity"], given.get("dataset", PIXEL_MASK))
    return read.fit(run.shape).bad


def _write(task: Task, made: Measured) -> dict[str, Any]:
    """Write the products of a run; give what its result says."""
    from penstock.workflows.detector.bits import count_bits
    from penstock.workflows.detector.page import write_run_page
    from penstock.workflows.detector.products import write_product, write_texts

    judged, key = made.judged, "/".join(map(str, task.key))
    write_product(task.product("status"), judged, {"run": key}, made.told)
    page, folder = task.product("page"), task.product("pictures")
    write_run_page(page, judged, f"Pixels of {key}", folder=folder, facts={"run": key}, told=made.told)
    if texts := _product_if_any(task, "texts"):
        texts.mkdir()
        write_texts(texts, f"r{task.key[-1]:04d}", judged, {"RUN": key})
    for each in made.told:
        task.log(each)
    if judged.status is None:
        return {"frames": judged.frames, "judged": False, "why": judged.why}
    bad, bits = int((judged.mask == 0).sum()), count_bits(judged.status)
    return {"frames": judged.frames, "judged": True, "bad": bad, "bits": bits, "told": made.told}


def _product_if_any(task: Task, name: str) -> Path | None:
    """Give the place of a product that a stage may go without."""
    try:
        return task.product(name)
    except ValueError:
        return None


@contextmanager
def _failing(task: Task) -> Iterator[None]:
    """End a task for good where another try gives the same."""
    try:
        yield
    except (Unreadable, Refused, DefinitionError) as error:
        task.fail(str(error))
    except Incomplete as error:
        overdue = error.overdue(time.time(), float(task.params.get("patience", PATIENCE)))
        if overdue:
            task.fail(overdue)
        raise

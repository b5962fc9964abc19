"""A night of a telescope, as short as can be: raw files, what stages make of them, and tasks as the runner makes them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from penstock.runner.spec import Stage
from penstock.runner.task import Task
from penstock.workflows.telescope.toy import stages
from penstock.workflows.telescope.toy.simulator import Subrun, simulate

EVENTS = {"DRS4": 120, "PEDCALIB": 200, "DATA": 60}


@dataclass(frozen=True)
class Night:
    """Files of a night: raw ones by type, and the calibration."""

    folder: Path
    raw: dict[str, Path]
    pedestals: Path
    calibration: Path


def make_task(
    products: Mapping[str, Path] | Path,
    *,
    path: Path | None = None,
    inputs: Sequence[Path] = (),
    params: Mapping[str, Any] | None = None,
    **fields: Any,
) -> Task:
    """Give a task whose products are written to where they are said to be."""
    empty: dict[str, Any] = dict.fromkeys(Stage._fields)
    stage = Stage(**empty | {"name": "stage", "levels": ["subrun"], "types": {}, "params": params or {}})
    named = {"product": products} if isinstance(products, Path) else products
    places = {name: os.fspath(place) for name, place in named.items()}
    given = fields | ({"path": os.fspath(path)} if path else {})
    data = {"key": ["1807.0"], "fields": given, "inputs": {"before": [os.fspath(each) for each in inputs]}}
    return Task(data, stage, products=places)


@pytest.fixture(scope="session")
def task_of() -> Callable[..., Task]:
    return make_task


@pytest.fixture(scope="session")
def night(tmp_path_factory: pytest.TempPathFactory) -> Night:
    folder = tmp_path_factory.mktemp("night")
    raw = {}
    for run, (run_type, events) in enumerate(EVENTS.items(), 1804):
        raw[run_type] = folder / f"r0_{run}_0.h5"
        simulate(raw[run_type], Subrun(run, 0, run_type, events))
    pedestals, calibration = folder / "drs4_pedestal.h5", folder / "calibration.h5"
    stages.drs4_pedestal(make_task(pedestals, path=raw["DRS4"]))
    stages.charge_calibration(make_task(calibration, path=raw["PEDCALIB"], inputs=[pedestals]))
    return Night(folder, raw, pedestals, calibration)


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("models") / "models.h5"
    stages.train(make_task(made, params={"events": 1200}))
    return made


@dataclass(frozen=True)
class Made:
    """What the stages made of a subrun."""

    dl1: Path
    muons: Path
    interleaved: Path
    dl1ab: Path
    dl2: Path
    told: Mapping[str, Mapping[str, Any]]


@pytest.fixture(scope="session")
def process(night: Night, models: Path) -> Callable[[Path, Path], Made]:
    """Give what takes a raw file through all stages, into a folder."""

    def process(raw: Path, folder: Path) -> Made:
        folder.mkdir(exist_ok=True)
        first = {name: folder / f"{name}.h5" for name in ("dl1", "muons", "interleaved")}
        last = {name: folder / f"{name}.h5" for name in ("dl1ab", "dl2")}
        told = {"r0_to_dl1": stages.r0_to_dl1(make_task(first, path=raw, inputs=[night.calibration]))}
        told["dl1ab"] = stages.dl1ab(make_task(last["dl1ab"], inputs=[*first.values()]))
        told["dl2"] = stages.dl1_to_dl2(make_task(last["dl2"], inputs=[last["dl1ab"], models]))
        return Made(**first, **last, told=told)

    return process


@pytest.fixture(scope="session")
def made(process, night: Night, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """What the stages make of a subrun of data."""
    return process(night.raw["DATA"], tmp_path_factory.mktemp("made"))

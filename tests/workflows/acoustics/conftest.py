"""Recordings made on the spot, and tasks as the runner makes them."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from penstock.runner.spec import Stage
from penstock.runner.task import Task

RATE = 8000
BEGIN = datetime(2026, 1, 17, 4, 0, tzinfo=UTC)


@pytest.fixture
def noise() -> np.ndarray:
    """Ten seconds of noise, the same each time."""
    return (0.1 * np.random.default_rng(7).standard_normal(10 * RATE)).astype(np.float32)


@pytest.fixture
def write_wav(tmp_path: Path) -> Callable[..., Path]:
    def write(name: str, samples: Any, rate: int = RATE, subtype: str = "PCM_16") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, samples, rate, subtype=subtype)
        return path

    return write


@pytest.fixture
def make_task(tmp_path: Path) -> Callable[..., Task]:
    """Give a task of the runner whose products are written straight to `tmp_path`."""

    def make(
        params: dict[str, Any],
        products: dict[str, str],
        *,
        fields: dict[str, Any] | None = None,
        inputs: dict[str, list[str]] | None = None,
    ) -> Task:
        empty: dict[str, Any] = dict.fromkeys(Stage._fields)
        stage = Stage(
            **empty
            | {
                "name": "stage",
                "levels": ["file"],
                "types": {"begin": "datetime", "end": "datetime"},
                "params": params,
            }
        )
        places = {name: os.fspath(tmp_path / path) for name, path in products.items()}
        for place in places.values():
            Path(place).parent.mkdir(parents=True, exist_ok=True)
        data = {"key": ["a"] if fields else [], "fields": fields or {}, "inputs": inputs or {}}
        return Task(data, stage, products=places, root=os.fspath(tmp_path))

    return make


@pytest.fixture
def real_audio() -> Path:
    beside = Path(__file__).parents[4] / "shared" / "data" / "audio"
    folder = Path(os.environ.get("PENSTOCK_AUDIO", beside))
    if not folder.is_dir():
        pytest.skip("the real recordings are not here")
    return folder


@pytest.fixture
def begin() -> datetime:
    return BEGIN

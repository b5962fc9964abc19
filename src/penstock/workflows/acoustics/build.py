"""A dataset described without a campaign: tables and a quality page."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from penstock.workflows.acoustics import tables
from penstock.workflows.acoustics.init import Times, find_recordings
from penstock.workflows.acoustics.recordings import Dataset, Recording, scan_paths
from penstock.workflows.acoustics.settings import Settings, read_settings


def build_dataset(
    folder: Path,
    audio: str,
    *,
    begin: str | None = None,
    params: Mapping[str, Any] | None = None,
    times: Times | None = None,
    samples: bool = False,
    place: Mapping[str, Any] | None = None,
) -> tuple[Dataset, Settings]:
    """Scan the recordings and write dataset.json, files.csv, qc.csv and qc.html in `folder`.

    With `samples`, every recording is read once through, on all cores. With `place` (lat, lon, depth;
    it may be empty) the old `metadata.csv` is written too.
    """
    from penstock.workflows.acoustics.page import write_qc_page

    settings = read_settings(params or {})
    found = find_recordings(Path.cwd(), audio, begin, times)
    dataset = scan_paths(found.paths, found.naming, settings)
    settings = replace(settings, sample_rate=dataset.usual.rate, channels=dataset.usual.channels)
    if samples:
        dataset = look_inside(dataset, settings)
    folder.mkdir(parents=True, exist_ok=True)
    tables.write_dataset(folder / "dataset.json", dataset, settings)
    tables.write_files(folder / "files.csv", dataset)
    tables.write_qc(folder / "qc.csv", dataset, settings)
    if place is not None:
        tables.write_metadata(folder / "metadata.csv", dataset, settings, place)
    write_qc_page(folder / "qc.html", dataset, settings, folder.resolve().name)
    return dataset, settings


def look_inside(dataset: Dataset, settings: Settings) -> Dataset:
    """Add what the samples tell, for the recordings whose header is sound."""
    from penstock.workflows.acoustics.sound import check_samples

    def look(each: Recording) -> Recording:
        return each if each.faults else each.with_findings(check_samples(each.path, settings))

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        looked = list(pool.map(look, dataset.recordings))
    return Dataset(tuple(looked), dataset.usual)

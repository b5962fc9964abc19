"""Recordings through the whole engine, as a person would."""

import csv
import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

import numpy as np
import pytest
import xarray as xr

RATE = 8000
BATCHES = ("--batch", "2", "--workers", "2")
BEGIN = datetime(2026, 1, 17, 4, 0, tzinfo=UTC)


def penstock(folder, *words):
    return subprocess.run(
        [sys.executable, "-m", "penstock", *words], cwd=folder, capture_output=True, text=True, timeout=120
    )


def untouched(audio):
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in audio.iterdir()}


@pytest.fixture
def folder(tmp_path, write_wav, noise):
    for start in (0, 10, 40, 50, 60):
        path = write_wav(f"audio/it's {BEGIN + timedelta(seconds=start):%Y%m%d_%H%M%S}.wav", noise)
    path.write_bytes(path.read_bytes()[:-2000])
    write_wav(f"audio/it's {BEGIN + timedelta(seconds=70):%Y%m%d_%H%M%S}.wav", noise * 0)
    made = penstock(
        tmp_path, "init", "acoustics", "sea", "--audio", "audio", "--bin", "1", "--nfft", "256", *BATCHES
    )
    assert made.returncode == 0, made.stderr
    definition = tmp_path / "sea/penstock.toml"
    definition.write_text(definition.read_text().replace("derive = {", 'settle = "0s"\nderive = {'))
    return tmp_path / "sea"


def test_recordings_become_spectrograms_an_average_and_a_page(folder):
    before = untouched(folder.parent / "audio")
    ran = penstock(folder, "run")
    assert ran.returncode == 0, ran.stderr
    assert untouched(folder.parent / "audio") == before
    stages = {
        stage["name"]: stage["tasks"]
        for stage in json.loads(penstock(folder, "status", "--json").stdout)["stages"]
    }
    assert (stages["spectrogram"]["done"], stages["spectrogram"]["vetoed"]) == (4, 2)
    assert stages["ltas"]["done"] == stages["soundscape"]["done"] == stages["report"]["done"] == 1
    with xr.open_dataset(folder / "ltas.nc") as data:
        empty = np.isnan(data.level.values).all(axis=1)
        assert np.flatnonzero(empty).tolist() == list(range(20, 40))
        assert data.coverage.values.tolist() == [1] * 20 + [0] * 20 + [1] * 20
        frames_a_file = (10 * RATE - 256) // 128 + 1
        assert data.frames.sum() == 4 * frames_a_file  # a file at the border of two batches counts once
    for name in ("ltas.nc", "soundscape.nc", "spectra/it's 20260117_040000.nc"):
        with xr.open_dataset(folder / name, decode_times=False) as data:
            assert [each for each in data.variables if "units" not in data[each].attrs] == []
            times = [
                data[each].attrs["units"] for each in data.variables if "since" in data[each].attrs["units"]
            ]
            assert times
            assert all(each.endswith("+00:00") for each in times)
    with (folder / "report/qc.csv").open(newline="") as file:
        verdicts = [row["verdict"] for row in csv.DictReader(file)]
    assert verdicts == ["good", "good", "warning", "good", "left out", "left out"]
    links = re.findall(r'(?:src|href)="([^"]+)"', (folder / "index.html").read_text())
    assert len(links) == 2 * 3 + 1 + 1 + 1  # average, levels and densities; a warning; the report; a day
    assert all((folder / unquote(link).partition("#")[0]).is_file() for link in links)
    links = re.findall(r'(?:src|href)="([^"]+)"', (folder / "days/2026-01-17.html").read_text())
    assert len(links) == 1 + 2 * 4
    assert all((folder / "days" / unquote(link)).is_file() for link in links)


@pytest.mark.parametrize("more", [(), ("--chain", "--normalise", "dc", "--normalise-over", "whole")])
def test_segments_across_files_go_through_the_whole_engine(tmp_path, write_wav, noise, more):
    for start in (0, 10, 40):
        write_wav(f"audio/{BEGIN + timedelta(seconds=start):%Y%m%d_%H%M%S}.wav", noise)
    options = ("--audio", "audio", "--bin", "1", "--nfft", "256", "--segment", "15")
    made = penstock(tmp_path, "init", "acoustics", "sea", *options, *more)
    assert made.returncode == 0, made.stderr
    ran = penstock(tmp_path / "sea", "run")
    assert ran.returncode == 0, ran.stderr + ran.stdout
    with xr.open_dataset(tmp_path / "sea/spectra/20260117T040015.nc") as data:
        assert data.bin_seconds.values.tolist() == [1] * 5 + [0] * 10
    with xr.open_dataset(tmp_path / "sea/ltas.nc") as data:
        assert data.coverage.values.tolist() == [1] * 20 + [0] * 20 + [1] * 10 + [0] * 10
    with (tmp_path / "sea/report/qc.csv").open(newline="") as file:
        assert [row["verdict"] for row in csv.DictReader(file)] == ["good", "good", "warning"]


def test_a_campaign_in_zarr_has_the_same_numbers_and_no_netcdf_file(tmp_path, write_wav, noise):
    for start in (0, 10):
        write_wav(f"audio/{BEGIN + timedelta(seconds=start):%Y%m%d_%H%M%S}.wav", noise)
    for form in ("netcdf", "zarr"):
        options = ("--audio", "audio", "--bin", "1", "--nfft", "256", "--format", form, "--also", "npz")
        more = ("--tiles", "2", "--db-range", "-90", "-30")
        assert penstock(tmp_path, "init", "acoustics", form, *options, *more).returncode == 0
        ran = penstock(tmp_path / form, "run")
        assert ran.returncode == 0, ran.stderr + ran.stdout
    assert not list((tmp_path / "zarr").rglob("*.nc"))
    for name in ("spectra/20260117_040000", "spectra/20260117_040010", "ltas", "soundscape"):
        with (
            xr.open_dataset(tmp_path / f"netcdf/{name}.nc") as expected,
            xr.open_zarr(tmp_path / f"zarr/{name}.zarr", chunks=None) as made,
        ):
            assert made.identical(expected), name
    with np.load(tmp_path / "zarr/npz/20260117_040000.npz") as made:
        assert made["level"].shape == (129, 624)
    (images,) = (tmp_path / "zarr/aplose").glob("zarr/processed/spectrogram/10_8000/256_256_50/image")
    assert len(list(images.iterdir())) == 2 * 3
    assert all(each.read_bytes()[:4] == b"\x89PNG" for each in images.iterdir())

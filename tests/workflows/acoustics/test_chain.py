import json
from datetime import timedelta

import numpy as np
import pytest
import xarray as xr
from tests.workflows.acoustics import recorders

from penstock.runner.task import Verdict
from penstock.workflows.acoustics import chain, normals, resample, spectrogram, statistics
from penstock.workflows.acoustics.init import Shape, write_campaign

RATE = 8000
PARAMS = {"nfft": 256, "bin": 1.0, "sample_rate": RATE, "channels": 1}
PREPARED = [
    {"resample": 4000},
    {"normalise": "zscore"},
    {"resample": 4000, "band_pass": [100, 1500], "normalise": "peak"},
    {"normalise": "dc", "normalise_over": "whole"},
]
SPECTRUM = {"spectrum": "spectra/a.nc", "picture": "pictures/a.png"}


@pytest.fixture
def links(make_task, tmp_path, begin):
    """Run the links of the chain on one recording, or on the sound that `fields` tell of."""

    def run(path, fields=None, **params):
        fields, chosen = (
            fields or {"path": str(path), "begin": begin.isoformat(), "file": path.stem},
            PARAMS | params,
        )
        inputs = {}
        if "resample" in params:
            audio = {"audio": "r/a.wav", "notes": "r/a.json"}
            resample(make_task(chosen, audio, fields=fields))
            inputs = {"resample": list(audio.values())}
        place = "s/a.json"
        statistics(make_task(chosen, {"product": place}, fields=fields, inputs=inputs))
        inputs = {"statistics": [place]}
        if chosen.get("normalise_over", "file") != "file":
            normals(make_task(chosen, {"product": "n.json"}, inputs=inputs))
            inputs["normals"] = ["n.json"]
        result = spectrogram(make_task(chosen, SPECTRUM, fields=fields, inputs=inputs))
        return result, xr.load_dataset(tmp_path / "spectra/a.nc")

    return run


@pytest.mark.parametrize("params", PREPARED)
def test_stages_one_by_one_give_what_one_pass_gives(
    links, make_task, write_wav, noise, begin, tmp_path, params
):
    path = write_wav("a.wav", noise + np.float32(0.05))
    result, chained = links(path, **params)
    fields = {"path": str(path), "begin": begin.isoformat(), "file": "a"}
    alone = PARAMS | params | {"normalise_over": "file"}
    made = spectrogram(make_task(alone, SPECTRUM, fields=fields))
    assert made.pop("level") == pytest.approx(result.pop("level"), abs=2e-3)
    assert made == result
    with xr.open_dataset(tmp_path / "spectra/a.nc") as data:
        assert chained.psd.values == pytest.approx(data.psd.values, rel=1e-4)
        for name in ("source", "findings", "resampled", "source_bytes"):
            assert chained.attrs[name] == data.attrs[name]
    assert list(result["findings"]) == ["dc_offset"]


@pytest.mark.parametrize("params", PREPARED)
def test_a_recording_with_pauses_goes_through_the_links_too(links, make_task, noise, tmp_path, params):
    path = tmp_path / "a.x.wav"
    path.write_bytes(recorders.harp(noise, RATE, RATE, {4: 10.0, 7: 0.25}))
    result, chained = links(path, **params)
    fields = {"path": str(path), "begin": recorders.BEGIN.isoformat(), "file": "a.x"}
    alone = PARAMS | params | {"normalise_over": "file"}
    made = spectrogram(make_task(alone, SPECTRUM, fields=fields))
    assert made.pop("level") == pytest.approx(result.pop("level"), abs=2e-3)
    assert made == result
    assert result["seconds"] == pytest.approx(10)
    with xr.open_dataset(tmp_path / "spectra/a.nc") as data:
        assert np.array_equal(np.isnan(data.level), np.isnan(chained.level))
        assert chained.psd.values == pytest.approx(data.psd.values, rel=1e-4)
        for name in ("title", "begin", "coverage", "findings", "findings_of_files", "pieces"):
            assert chained.attrs[name] == data.attrs[name]


@pytest.fixture
def segment_fields(write_wav, noise, begin):
    """A segment of ten seconds: four of one file, a gap of two, four of another that begins it a sample late."""
    paths = [str(write_wav(f"{name}.wav", noise[:32000] + 0.05)) for name in "ab"]
    pieces = [[paths[0], RATE, 0, 32000, 0], [paths[1], RATE, 1, 31999, 48001]]
    ends = {"begin": begin.isoformat(), "end": (begin + timedelta(seconds=10)).isoformat()}
    return ends | {"segment": "a", "pieces": json.dumps(pieces), "shared": 2.0, "paths": paths}


@pytest.mark.parametrize("params", PREPARED)
def test_stages_one_by_one_give_what_one_pass_gives_of_a_segment_with_a_gap(
    links, make_task, segment_fields, tmp_path, params
):
    result, chained = links(None, segment_fields, **params)
    alone = PARAMS | params | {"normalise_over": "file"}
    make = make_task(alone, SPECTRUM, fields=segment_fields)
    made = spectrogram(make)
    assert made.pop("level") == pytest.approx(result.pop("level"), abs=2e-3)
    assert made == result
    with xr.open_dataset(tmp_path / "spectra/a.nc") as data:
        assert chained.psd.values == pytest.approx(data.psd.values, rel=1e-4)
        assert np.array_equal(np.isnan(chained.level.values), np.isnan(data.level.values))
        assert np.isnan(data.level.values).all(axis=0).sum() > 0
        for name in ("bin_frames", "bin_seconds"):
            assert np.array_equal(chained[name].values, data[name].values)
        for name in ("pieces", "findings_of_files", "source_bytes", "coverage", "shared_seconds"):
            assert chained.attrs[name] == data.attrs[name]


def test_segments_share_one_normal_over_a_period(links, make_task, segment_fields, tmp_path, noise):
    _, chained = links(None, segment_fields, normalise="zscore", normalise_over="whole", scaling="spectrum")
    assert json.loads((tmp_path / "n.json").read_text())["whole"]["factor"] == pytest.approx(
        1 / noise[:32000].std(), rel=1e-3
    )
    assert chained.attrs["normalised"] == "zscore whole"


def test_a_resampled_sound_may_be_longer_than_a_wav_file_can_be(
    links, write_wav, noise, tmp_path, monkeypatch
):
    monkeypatch.setattr(chain, "MOST_BYTES", 1000)
    result, _ = links(write_wav("a.wav", noise), resample=4000)
    assert (tmp_path / "r/a.wav").read_bytes()[:4] == b"RF64"
    assert result["frames"] == (40000 - 256) // 128 + 1


def test_a_faulty_recording_is_vetoed_by_the_first_link(links, write_wav, noise):
    with pytest.raises(Verdict, match="all samples are 0"):
        links(write_wav("a.wav", noise * 0), resample=4000)


def test_statistics_are_those_of_the_samples(links, write_wav, noise, tmp_path):
    links(write_wav("a.wav", noise, subtype="FLOAT"))
    made = json.loads((tmp_path / "s/a.json").read_text())["moments"]
    assert made["mean"] == pytest.approx(noise.mean(dtype=float))
    assert made["peak"] == pytest.approx(np.abs(noise).max())


@pytest.mark.parametrize(
    ("params", "stages"),
    [
        (
            {"resample": 4000},
            ["resample", "statistics", "spectrogram", "ltas", "soundscape", "quality", "report"],
        ),
        (
            {"normalise": "dc", "normalise_over": "whole"},
            ["statistics", "normals", "spectrogram", "ltas", "soundscape", "quality", "report"],
        ),
    ],
)
@pytest.mark.parametrize("segments", [False, True])
def test_the_engine_takes_the_definition_of_a_chain(
    tmp_path, write_wav, noise, begin, params, stages, segments
):
    from penstock.config import load

    for i in range(2):
        write_wav(f"audio/{begin + timedelta(seconds=10 * i):%Y%m%d_%H%M%S}.wav", noise)
    shape = Shape(workers=3, batch=200, chain=True, extras=("tiles", "npz"), format="zarr", segments=segments)
    write_campaign(tmp_path / "w", str(tmp_path / "audio"), shape=shape, params=params)
    campaign = load(tmp_path / "w")
    assert sorted(stage.name for stage in campaign.stages) == sorted(stages)
    assert {stage.batch for stage in campaign.stages if stage.name == stages[0]} == {200}
    follows = {stage.name: stage.follows for stage in campaign.stages}
    whole = "normalise_over" in params
    assert follows["spectrogram"] == (None if whole else "statistics")
    assert follows["statistics"] == ("resample" if "resample" in params else None)

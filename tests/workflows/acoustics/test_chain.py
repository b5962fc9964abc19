import json
from datetime import timedelta

import numpy as np
import pytest
import xarray as xr

from penstock.runner.task import Verdict
from penstock.workflows.acoustics import normals, resample, spectrogram, statistics
from penstock.workflows.acoustics.init import Shape, write_campaign

RATE = 8000
PARAMS = {"nfft": 256, "bin": 1.0, "sample_rate": RATE, "channels": 1}
SPECTRUM = {"spectrum": "spectra/a.nc", "picture": "pictures/a.png"}


@pytest.fixture
def links(make_task, tmp_path, begin):
    """Run the links of the chain on one recording."""

    def run(path, **params):
        fields, chosen = {"path": str(path), "begin": begin.isoformat(), "file": path.stem}, PARAMS | params
        inputs = {}
        if "resample" in params:
            audio = {"audio": f"r/{path.stem}.wav", "notes": f"r/{path.stem}.json"}
            resample(make_task(chosen, audio, fields=fields))
            inputs = {"resample": list(audio.values())}
        place = f"s/{path.stem}.json"
        statistics(make_task(chosen, {"product": place}, fields=fields, inputs=inputs))
        inputs = {"statistics": [place]}
        if chosen.get("normalise_over", "file") != "file":
            normals(make_task(chosen, {"product": "n.json"}, inputs=inputs))
            inputs["normals"] = ["n.json"]
        result = spectrogram(make_task(chosen, SPECTRUM, fields=fields, inputs=inputs))
        return result, xr.load_dataset(tmp_path / "spectra/a.nc")

    return run


@pytest.mark.parametrize(
    "params",
    [
        {"resample": 4000},
        {"normalise": "zscore"},
        {"resample": 4000, "band_pass": [100, 1500], "normalise": "peak"},
        {"normalise": "dc", "normalise_over": "whole"},
    ],
)
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
        ({"resample": 4000}, ["resample", "statistics", "spectrogram", "ltas", "soundscape", "report"]),
        (
            {"normalise": "dc", "normalise_over": "whole"},
            ["statistics", "normals", "spectrogram", "ltas", "soundscape", "report"],
        ),
    ],
)
def test_the_engine_takes_the_definition_of_a_chain(tmp_path, write_wav, noise, begin, params, stages):
    from penstock.config import load

    for i in range(2):
        write_wav(f"audio/{begin + timedelta(seconds=10 * i):%Y%m%d_%H%M%S}.wav", noise)
    shape = Shape(workers=3, batch=200, chain=True, extras=("tiles", "npz"), format="zarr")
    write_campaign(tmp_path / "w", str(tmp_path / "audio"), shape=shape, params=params)
    campaign = load(tmp_path / "w")
    assert sorted(stage.name for stage in campaign.stages) == sorted(stages)
    assert {stage.batch for stage in campaign.stages if stage.name == stages[0]} == {200}
    follows = {stage.name: stage.follows for stage in campaign.stages}
    whole = "normalise_over" in params
    assert follows["spectrogram"] == (None if whole else "statistics")
    assert follows["statistics"] == ("resample" if "resample" in params else None)

"""What APLOSE reads of a dataset, and how: written from its manual and from what its importer asks of each cell."""

import ast
import csv
from datetime import datetime

import pytest

from penstock.workflows.acoustics.annotation import Export, Told, calibration_cells, write_export
from penstock.workflows.acoustics.settings import Settings

PARAMS = {"sample_rate": 48000, "channels": 1, "db_range": [40, 100], "tile_levels": 3}
BEGIN = 1768622400.0
TOLD = [Told("a_1", BEGIN, 10.0, 16), Told("b_2", BEGIN + 10, 10.0, 16), Told("c_3", BEGIN + 20, 9.5, 16)]


@pytest.fixture
def make(tmp_path):
    def make(tiles=(), **params):
        export = Export("winter", Settings.read(PARAMS | params), TOLD, ".wav")
        write_export(tmp_path / "aplose", export, tiles, home=tmp_path / "aplose")
        return tmp_path / "aplose"

    return make


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_importer_finds_everything_where_the_first_table_says(make):
    folder = make(sensitivity=-170.5, gain=12.5, band_pass=[10.4, 20000])
    (dataset,) = rows(folder / "datasets.csv")
    config = f"{int(dataset['spectro_duration'])}_{int(dataset['dataset_sr'])}"
    audio = folder / dataset["path"] / "data/audio" / config
    (described,) = rows(audio / "metadata.csv")
    assert ast.literal_eval(described["sample_bits"]) == ["PCM_16"]
    assert (int(described["channel_count"]), int(described["audio_file_count"])) == (1, 3)
    times = [
        (row["filename"], datetime.fromisoformat(row["timestamp"])) for row in rows(audio / "timestamp.csv")
    ]
    assert times[0] == ("a_1.wav", datetime.fromisoformat(described["start_date"]))
    assert [name for name, _ in times] == ["a_1.wav", "b_2.wav", "c_3.wav"]
    (analysis,) = (folder / dataset["path"] / "processed/spectrogram" / config).iterdir()
    assert analysis.name == "1024_1024_50"
    (row,) = rows(analysis / "metadata.csv")
    whole = (
        "nfft",
        "window_size",
        "zoom_level",
        "dynamic_min",
        "dynamic_max",
        "hp_filter_min_freq",
        "overlap",
    )
    assert [int(row[name]) for name in whole] == [1024, 1024, 2, 40, 100, 10, 50]
    decimal = ("sensitivity_dB", "peak_voltage", "gain_dB", "frequency_resolution", "temporal_resolution")
    assert [float(row[name]) for name in decimal] == [-170.5, 1, 12.5, 46.875, 0.010667]
    assert (row["data_normalization"], row["custom_frequency_scale"]) == ("instrument", "linear")
    assert (row["colormap"], row["window_type"], row["spectro_normalization"]) == (
        "viridis",
        "hann",
        "density",
    )


def test_tiles_are_linked_under_the_names_that_aplose_asks_for(make, tmp_path):
    tiles = [tmp_path / "tiles" / "a_1" / f"a_1_{count}_{i}.png" for count in (1, 2, 4) for i in range(count)]
    for tile in tiles:
        tile.parent.mkdir(parents=True, exist_ok=True)
        tile.write_text(tile.name)
    images = make(tiles) / "winter/processed/spectrogram/10_48000/1024_1024_50/image"
    zoom_level = 2
    asked = [f"a_1_{2**z}_{i}.png" for z in range(zoom_level + 1) for i in range(2**z)]
    assert [(images / name).read_text() for name in asked] == asked
    assert len(list(images.iterdir())) == len(asked)


@pytest.mark.parametrize(
    ("params", "cells"),
    [
        ({}, {"data_normalization": "none"}),
        ({"normalise": "zscore"}, {"data_normalization": "zscore", "zscore_duration": "file"}),
        (
            {"end_to_end": 175.0},
            {
                "data_normalization": "instrument",
                "sensitivity_dB": -175.0,
                "peak_voltage": 1.0,
                "gain_dB": 0.0,
            },
        ),
    ],
)
def test_numbers_of_an_instrument_are_told_only_where_there_is_one(params, cells):
    assert calibration_cells(Settings.read(params)) == cells


def test_an_end_to_end_value_is_told_as_the_instrument_of_the_same_pressure():
    from penstock.workflows.acoustics.calibration import read_calibration

    told = calibration_cells(Settings(end_to_end=175.0))
    same = Settings(
        sensitivity=told["sensitivity_dB"], peak_voltage=told["peak_voltage"], gain=told["gain_dB"]
    )
    assert read_calibration(same).factor == pytest.approx(read_calibration(Settings(end_to_end=175.0)).factor)


def test_what_aplose_cannot_show_is_one_sentence(make):
    with pytest.raises(ValueError, match=r"one range of levels for all tiles; give it as --db-range"):
        make(db_range=None)
    with pytest.raises(ValueError, match="no frequency scale 'log'; leave it linear"):
        make(frequency_scale="log")


def test_a_scale_in_parts_that_aplose_knows_has_its_name(make):
    folder = make(frequency_scale=[[0.5, 30000], [0.7, 80000]], sample_rate=192000)
    (metadata,) = folder.glob("winter/processed/spectrogram/10_192000/1024_1024_50_porp_delph/metadata.csv")
    assert rows(metadata)[0]["custom_frequency_scale"] == "porp_delph"

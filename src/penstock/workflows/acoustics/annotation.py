"""A dataset as the annotation platform APLOSE imports it: a folder of tables and pictures.

Where its tables lie and what their columns are called is as its manual says (chapter "Generate a dataset",
APLOSE 2.5.7) and as its importer reads them (2.5.7, and 3.4.1 for datasets of before OSEkit 0.3).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from penstock.workflows.acoustics.names import read_any_time
from penstock.workflows.acoustics.settings import Settings
from penstock.workflows.acoustics.tables import iso, write_table
from penstock.workflows.acoustics.timeline import moment, seconds
from penstock.workflows.stores.formats import open_product, plain

DATASET = ("path", "dataset", "spectro_duration", "dataset_sr", "file_type", "identifier")
AUDIO = (
    *("sample_bits", "channel_count", "audio_file_count", "start_date", "end_date"),
    *("dataset_sr", "audio_file_dataset_duration"),
)
SPECTROGRAM = (
    *("dataset_name", "dataset_sr", "nfft", "window_size", "overlap", "colormap", "zoom_level"),
    *("number_adjustment_spectrogram", "dynamic_min", "dynamic_max", "spectro_duration"),
    *("audio_file_folder_name", "data_normalization", "hp_filter_min_freq", "sensitivity_dB", "peak_voltage"),
    *("spectro_normalization", "gain_dB", "zscore_duration", "window_type", "number_spectra"),
    *("frequency_resolution", "temporal_resolution", "audio_file_dataset_overlap", "custom_frequency_scale"),
)
SCALES = {  # those of its scales that are in straight parts without a hole
    "linear": "linear",
    ((0.5, 30000.0), (0.7, 80000.0)): "porp_delph",
}


@dataclass(frozen=True, slots=True)
class Told:
    """What a product says of its sound; `begin` in seconds since 1970, `duration` in seconds."""

    stem: str
    begin: float
    duration: float
    bits: int

    @classmethod
    def by(cls, product: Path) -> Told:
        with open_product(product) as file:
            about = {name: plain(value) for name, value in file.attrs.items()}
        begin = seconds(read_any_time(about["begin"]))
        return cls(product.stem, begin, float(about["duration_seconds"]), int(about.get("source_bits", 16)))


@dataclass(frozen=True, slots=True)
class Export:
    """One dataset for APLOSE, of sounds that all last about as long."""

    name: str
    settings: Settings
    told: Sequence[Told]
    extension: str

    @property
    def duration(self) -> int:
        """Give the duration that most have, in whole seconds: APLOSE reads no other."""
        lengths = sorted(each.duration for each in self.told)
        return max(1, round(lengths[len(lengths) // 2]))

    @property
    def rate(self) -> int:
        return self.settings.resample or self.settings.sample_rate or 0

    @property
    def config(self) -> str:
        return f"{self.duration}_{self.rate}"

    @property
    def analysis(self) -> str:
        """Name the folder of the spectrograms: nfft, window, overlap in per cent, scale."""
        scale = scale_of(self.settings)
        words = (self.settings.nfft, self.settings.nfft, round(100 * self.settings.overlap))
        return "_".join(map(str, words)) + (f"_{scale}" if scale != "linear" else "")

    def dataset_row(self) -> dict[str, Any]:
        row = {"path": self.name, "dataset": self.name, "spectro_duration": self.duration}
        return row | {"dataset_sr": self.rate, "file_type": self.extension}

    def audio_row(self) -> dict[str, Any]:
        return {
            "sample_bits": f"['PCM_{self.told[0].bits}']",
            "channel_count": self.settings.channels or 1,
            "audio_file_count": len(self.told),
            "start_date": iso(moment(min(each.begin for each in self.told))),
            "end_date": iso(moment(max(each.begin + each.duration for each in self.told))),
            "dataset_sr": self.rate,
            "audio_file_dataset_duration": self.duration,
        }

    def spectrogram_row(self) -> dict[str, Any]:
        settings, (low, high) = self.settings, range_of(self.settings)
        return calibration_cells(settings) | {
            "dataset_name": self.name,
            "dataset_sr": self.rate,
            "nfft": settings.nfft,
            "window_size": settings.nfft,
            "overlap": round(100 * settings.overlap),
            "colormap": settings.colours,
            "zoom_level": max(0, settings.tile_levels - 1),
            "number_adjustment_spectrogram": 0,
            "dynamic_min": round(low),
            "dynamic_max": round(high),
            "spectro_duration": self.duration,
            "audio_file_folder_name": self.config,
            "hp_filter_min_freq": round(settings.band_pass[0]) if settings.band_pass else 0,
            "spectro_normalization": settings.scaling,
            "window_type": "hamming" if settings.legacy else settings.window,
            "number_spectra": int((self.duration * self.rate - settings.nfft) // settings.hop + 1),
            "frequency_resolution": self.rate / settings.nfft,
            "temporal_resolution": round(settings.hop / self.rate, 6) if self.rate else "",
            "audio_file_dataset_overlap": 0,
            "custom_frequency_scale": scale_of(settings),
        }


def calibration_cells(settings: Settings) -> dict[str, Any]:
    """Give what APLOSE shows of a calibration; it reads numbers only where the samples are those of an instrument."""
    if settings.normalise == "zscore":
        return {"data_normalization": "zscore", "zscore_duration": settings.normalise_over}
    if settings.end_to_end is not None:
        return _instrument(-settings.end_to_end, 1.0, 0.0)
    if settings.sensitivity is not None:
        return _instrument(settings.sensitivity, settings.peak_voltage, settings.gain)
    return {"data_normalization": "none"}


def _instrument(sensitivity: float, voltage: float, gain: float) -> dict[str, Any]:
    numbers = {"sensitivity_dB": sensitivity, "peak_voltage": voltage, "gain_dB": gain}
    return {"data_normalization": "instrument"} | numbers


def range_of(settings: Settings) -> tuple[float, float]:
    if settings.db_range is None:
        raise ValueError(
            "APLOSE wants one range of levels for all tiles; give it as --db-range LOW HIGH (db_range)"
        )
    return settings.db_range


def scale_of(settings: Settings) -> str:
    if settings.frequency_scale not in SCALES:
        raise ValueError(
            f"APLOSE has no frequency scale {settings.frequency_scale!r}; leave it linear, or make no tiles"
        )
    return SCALES[settings.frequency_scale]


def write_export(folder: Path, export: Export, tiles: Sequence[Path], *, home: Path) -> None:
    """Write the folder, with links to the tiles; it will stand at `home`, from where the links lead to them.

    `cp -rL` makes copies of what the links lead to.
    """
    audio = Path(export.name, "data", "audio", export.config)
    spectra = Path(export.name, "processed", "spectrogram", export.config, export.analysis)
    for place in (audio, spectra / "image"):
        (folder / place).mkdir(parents=True)
    write_table(folder / "datasets.csv", DATASET, [export.dataset_row()])
    write_table(folder / audio / "metadata.csv", AUDIO, [export.audio_row()])
    write_table(folder / spectra / "metadata.csv", SPECTROGRAM, [export.spectrogram_row()])
    times = (
        {"filename": f"{t.stem}{export.extension}", "timestamp": iso(moment(t.begin))} for t in export.told
    )
    write_table(folder / audio / "timestamp.csv", ("filename", "timestamp"), times)
    for tile in tiles:
        link = spectra / "image" / tile.name
        (folder / link).symlink_to(os.path.relpath(tile, (home / link).parent))

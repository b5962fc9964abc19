"""Tables that the annotation platform APLOSE reads: `datasets.csv` and the spectrograms' `metadata.csv`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from penstock.workflows.acoustics.settings import Settings
from penstock.workflows.acoustics.tables import write_table

DATASET = ("path", "dataset", "spectro_duration", "dataset_sr", "file_type", "identifier")
SPECTROGRAM = (
    *("dataset_name", "dataset_sr", "nfft", "window_size", "overlap", "colormap", "zoom_level"),
    *("number_adjustment_spectrogram", "dynamic_min", "dynamic_max", "spectro_duration"),
    *("audio_file_folder_name", "data_normalization", "hp_filter_min_freq", "sensitivity_dB", "peak_voltage"),
    *("spectro_normalization", "gain_dB", "zscore_duration", "window_type", "number_spectra"),
    *("frequency_resolution", "temporal_resolution", "audio_file_dataset_overlap"),
)


def dataset_row(name: str, settings: Settings, *, duration: float, extension: str) -> dict[str, Any]:
    """Give the row of `datasets.csv`."""
    rate = settings.resample or settings.sample_rate
    row = {"path": name, "dataset": name, "spectro_duration": _number(duration), "dataset_sr": rate}
    return row | {"file_type": extension, "identifier": ""}


def spectrogram_row(name: str, settings: Settings, *, duration: float) -> dict[str, Any]:
    """Give the row of the spectrograms' `metadata.csv`; a cell of what is not known stays empty."""
    rate = settings.resample or settings.sample_rate or 0
    low, high = settings.db_range or ("", "")
    zscore = settings.normalise == "zscore"
    return {
        "dataset_name": name,
        "dataset_sr": rate,
        "nfft": settings.nfft,
        "window_size": settings.nfft,
        "overlap": _number(100 * settings.overlap),
        "colormap": settings.colours,
        "zoom_level": max(0, settings.tile_levels - 1),
        "number_adjustment_spectrogram": 0,
        "dynamic_min": low,
        "dynamic_max": high,
        "spectro_duration": _number(duration),
        "audio_file_folder_name": f"{_number(duration)}_{rate}",
        "data_normalization": "zscore" if zscore else "instrument",
        "hp_filter_min_freq": _number(settings.band_pass[0]) if settings.band_pass else 0,
        "sensitivity_dB": "" if settings.sensitivity is None else settings.sensitivity,
        "peak_voltage": settings.peak_voltage,
        "spectro_normalization": settings.scaling,
        "gain_dB": settings.gain,
        "zscore_duration": settings.normalise_over if zscore else "",
        "window_type": "hamming" if settings.legacy else settings.window,
        "number_spectra": int((duration * rate - settings.nfft) // settings.hop + 1),
        "frequency_resolution": rate / settings.nfft,
        "temporal_resolution": round(settings.hop / rate, 6) if rate else "",
        "audio_file_dataset_overlap": 0,
    }


def write_aplose(
    datasets: Path, metadata: Path, name: str, settings: Settings, *, duration: float, extension: str
) -> None:
    """Write both tables, a row each."""
    write_table(datasets, DATASET, [dataset_row(name, settings, duration=duration, extension=extension)])
    write_table(metadata, SPECTROGRAM, [spectrogram_row(name, settings, duration=duration)])


def _number(value: float) -> int | float:
    return int(value) if value == int(value) else value

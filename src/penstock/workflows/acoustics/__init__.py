"""Hydrophone recordings to spectrograms, levels and long-term averages.

The stages are `spectrogram`, `ltas`, `soundscape`, `quality` and `report`;
`docs/acoustics.md` says what they make.
"""

from penstock.workflows.acoustics.stages import (
    aplose,
    daily,
    list_segments,
    ltas,
    normals,
    quality,
    report,
    resample,
    setup,
    soundscape,
    spectrogram,
    statistics,
)

__all__ = [
    "aplose",
    "daily",
    "list_segments",
    "ltas",
    "normals",
    "quality",
    "report",
    "resample",
    "setup",
    "soundscape",
    "spectrogram",
    "statistics",
]

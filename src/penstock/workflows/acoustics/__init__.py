"""Hydrophone recordings to spectrograms, levels and long-term averages.

The stages are `spectrogram` (or `segment_spectrogram`), `ltas`, `soundscape` and `report`;
`docs/acoustics.md` says what they make.
"""

from penstock.workflows.acoustics.stages import (
    list_segments,
    ltas,
    report,
    segment_spectrogram,
    setup,
    soundscape,
    spectrogram,
)

__all__ = ["list_segments", "ltas", "report", "segment_spectrogram", "setup", "soundscape", "spectrogram"]

"""Hydrophone recordings to spectrograms, levels and long-term averages.

The stages are `spectrogram`, `ltas` and `report`; `docs/acoustics.md` says what they make.
"""

from penstock.workflows.acoustics.stages import (
    list_segments,
    ltas,
    report,
    segment_spectrogram,
    setup,
    spectrogram,
)

__all__ = ["list_segments", "ltas", "report", "segment_spectrogram", "setup", "spectrogram"]

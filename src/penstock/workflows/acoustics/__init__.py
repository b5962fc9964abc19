"""Hydrophone recordings to spectrograms, levels and long-term averages.

The stages are `spectrogram`, `ltas` and `report`; `docs/acoustics.md` says what they make.
"""

from penstock.workflows.acoustics.stages import ltas, report, setup, spectrogram

__all__ = ["ltas", "report", "setup", "spectrogram"]

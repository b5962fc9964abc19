"""The product of one sound for those who have only NumPy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from penstock.workflows.stores.formats import open_product, plain


def write_npz(source: Path, path: Path) -> None:
    """Write time (seconds since 1970), frequency (Hz), level (dB, float32) and psd, compressed.

    The matrix is held in memory whole.
    """
    with open_product(source) as file:
        matrix, time, begin = file["level"], file["time"], _begin(file)
        centres = time[:] * time.attrs["scale_factor"] + time.attrs["add_offset"]
        level = matrix[:].astype(np.float32) * matrix.attrs["scale_factor"] + matrix.attrs["add_offset"]
        level[matrix[:] == matrix.attrs["_FillValue"]] = np.nan
        reference = plain(file.attrs["reference"])
        with path.open("wb") as out:
            np.savez_compressed(
                out,
                time=begin + centres,
                frequency=file["frequency"][:],
                level=level.astype(np.float32),
                psd=file["psd"][:],
                reference=np.array(reference),
            )


def _begin(file: Any) -> float:
    from datetime import datetime

    from penstock.workflows.acoustics.timeline import seconds

    return seconds(datetime.fromisoformat(plain(file.attrs["begin"])))

"""Energy, direction and gammaness of events (DL2), by forests."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.workflows.telescope.toy.files import table
from penstock.workflows.telescope.toy.forests import Models

Array = NDArray[np.float64]

PLAIN = (
    *("hillas_length", "hillas_width", "hillas_x", "hillas_y", "hillas_r", "hillas_psi", "hillas_skewness"),
    *("hillas_kurtosis", "timing_slope", "leakage_intensity_width_2", "concentration_cog"),
    *("concentration_core", "concentration_pixel", "morphology_n_islands", "morphology_n_pixels"),
)
FEATURES = ("log_intensity", "width_per_length", *PLAIN)


def features_of(parameters: NDArray[Any]) -> tuple[Array, NDArray[np.bool_]]:
    """Give what forests look at (events × features), and which events have all of it."""
    with np.errstate(divide="ignore", invalid="ignore"):
        made = [
            np.log10(parameters["hillas_intensity"]),
            parameters["hillas_width"] / parameters["hillas_length"],
        ]
    made += [parameters[name].astype(np.float64) for name in PLAIN]
    columns = np.stack(made, axis=1)
    return columns, np.isfinite(columns).all(axis=1)


def reconstruct(parameters: NDArray[Any], models: Models) -> NDArray[Any]:
    """Give a row of `reco_energy` (TeV), `reco_src_x` and `reco_src_y` (m), `reco_disp_norm`, `reco_disp_sign` and `gammaness`
    for each event; NaN where it lacks parameters.

    The source lies on the axis of the image, so far from its centre as the forest says (disp), on the side that another
    chooses. Source: R. W. Lessard et al., Astroparticle Physics 15, 1 (2001).
    """
    columns, sound = features_of(parameters)
    found = {name: np.full(len(parameters), np.nan) for name in models.forests}
    for name, forest in models.forests.items():
        if sound.any():
            found[name][sound] = forest.predict(columns[sound])
    sign = np.where(np.isnan(found["disp_sign"]), np.nan, np.where(found["disp_sign"] >= 0.5, 1.0, -1.0))
    disp = sign * found["disp_norm"]
    return table(
        {
            "reco_energy": 10 ** found["log_energy"],
            "reco_src_x": parameters["hillas_x"] + disp * np.cos(parameters["hillas_psi"]),
            "reco_src_y": parameters["hillas_y"] + disp * np.sin(parameters["hillas_psi"]),
            "reco_disp_norm": found["disp_norm"],
            "reco_disp_sign": sign,
            "gammaness": found["gammaness"],
        }
    )

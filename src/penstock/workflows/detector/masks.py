"""Masks of pixels, which always say what their numbers mean: to some programs 1 is a good pixel, to others a bad one."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import h5py
import numpy as np
from numpy.typing import NDArray

from penstock.errors import DefinitionError
from penstock.workflows.detector.bits import BITS, USER
from penstock.workflows.detector.faults import Unreadable
from penstock.workflows.detector.links import follow, open_hdf5
from penstock.workflows.detector.ndarrayfile import read_text, text_of

POLARITIES = {  # of masks that people give
    "0 is bad": "1 is a good pixel: psana, and the masks of this workflow",
    "1 is bad": "whatever is not 0 is bad: pyFAI, NeXus, FabIO",
}
PIXEL_MASK = "entry/instrument/detector/pixel_mask"
KINDS = {"entry": "NXentry", "entry/instrument": "NXinstrument", "entry/instrument/detector": "NXdetector"}


@dataclass(frozen=True)
class Mask:
    """Which pixels are bad: True is bad, whatever the file said."""

    bad: NDArray[np.bool_]

    @classmethod
    def of(cls, numbers: NDArray[Any], polarity: str) -> Self:
        """Take numbers of which people say what they mean. Raises DefinitionError for another polarity.

        >>> Mask.of(np.array([1, 0]), "0 is bad").bad
        array([False,  True])
        """
        if polarity not in POLARITIES:
            raise DefinitionError(
                f"the polarity {polarity!r} of a mask is unknown; say {' or '.join(map(repr, POLARITIES))}"
            )
        return cls(numbers == 0 if polarity == "0 is bad" else numbers != 0)

    @classmethod
    def read(cls, path: Path, polarity: str, dataset: str = PIXEL_MASK) -> Self:
        """Read a mask from HDF5 (`dataset` is where), .npy, or text as LCLS keeps it.

        Raises Unreadable if the file holds none.
        """
        return cls.of(_numbers(path, dataset), polarity)

    def fit(self, shape: tuple[int, ...]) -> Self:
        """Give it the shape of a detector. Raises DefinitionError, with both shapes, if it does not fit.

        A mask of (rows, columns) fits each panel of (panels, rows, columns), or all of them one below the other.
        """
        have, flat = self.bad.shape, self.bad.size
        if have == shape:
            return self
        rows = (int(np.prod(shape[:-1])), shape[-1])
        if flat == np.prod(shape) and (have == rows or _squeezed(have) == _squeezed(shape)):
            return type(self)(self.bad.reshape(shape))
        if len(have) == 2 and have == shape[-2:]:
            return type(self)(np.broadcast_to(self.bad, shape).copy())
        raise DefinitionError(f"a mask of {have} does not fit a detector of {shape}; give one of its shape")


def _squeezed(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(size for size in shape if size != 1)


def _numbers(path: Path, dataset: str) -> NDArray[Any]:
    if path.suffix == ".npy":
        try:
            return np.load(path)
        except ValueError as error:
            raise Unreadable(f"{path} is no .npy file of numbers: {error}") from error
    if h5py.is_hdf5(path):
        with open_hdf5(path) as file:
            return np.asarray(follow(file, path, dataset)[()])
    return read_text(path)[0]


def nexus_of(status: NDArray[Any], known: NDArray[np.bool_] | None = None) -> NDArray[np.uint32]:
    """Give a status as NeXus' `pixel_mask`: 0 is good, bits say why a pixel is bad; `known` ones are masked by a user."""
    made = np.zeros(status.shape, np.uint32)
    for bit in BITS:
        made |= np.where(status & bit.value, np.uint32(bit.nexus), np.uint32(0))
    return made if known is None else made | np.where(known, np.uint32(USER), np.uint32(0))


def export_nexus(path: Path, pixel_mask: NDArray[np.uint32]) -> None:
    """Write `entry/instrument/detector/pixel_mask` (uint32, 0 is good) in an HDF5 file."""
    with h5py.File(path, "w", libver=("v110", "v110")) as file:
        file.create_dataset(PIXEL_MASK, data=pixel_mask, compression="gzip", shuffle=True, track_times=False)
        file.attrs["default"] = "entry"
        for name, kind in KINDS.items():
            file[name].attrs["NX_class"] = kind


def export_pyfai(path: Path, bad: NDArray[np.bool_]) -> None:
    """Write a mask for pyFAI and FabIO: .npy, int8, rows and columns, 1 is bad; panels stand one below the other."""
    path.write_bytes(_npy(bad.reshape(-1, bad.shape[-1]).astype(np.int8)))


def export_psana(path: Path, bad: NDArray[np.bool_], about: Mapping[str, Any]) -> None:
    """Write a mask for psana: text, 0 is bad, in the detector's shape."""
    path.write_bytes(text_of((~bad).astype(np.uint8), {**about, "POLARITY": "0 is bad"}))


def export_mask(product: Path, output: Path, form: str) -> None:
    """Write the mask of a run from its product, for `nexus`, `pyfai` or `psana`.

    Raises DefinitionError if the run was not judged.
    """
    from penstock.workflows.detector.products import read_product

    made = read_product(product)
    if "mask" not in made.arrays:
        raise DefinitionError(f"{product} has no mask: {made.about.get('not_judged')}")
    bad, status = made.arrays["mask"] == 0, made.arrays["status"]
    match form:
        case "nexus":
            export_nexus(output, nexus_of(status, bad & (status == 0)))
        case "pyfai":
            export_pyfai(output, bad)
        case _:
            export_psana(output, bad, {"RUN": made.about["run"]})


def _npy(array: NDArray[Any]) -> bytes:
    made = io.BytesIO()
    np.save(made, array)
    return made.getvalue()

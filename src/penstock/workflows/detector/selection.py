"""Which frames of a run are used: by a mask, by event codes, by their number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from penstock.errors import DefinitionError
from penstock.workflows.detector.faults import Unreadable
from penstock.workflows.detector.links import follow, open_hdf5

if TYPE_CHECKING:
    from penstock.workflows.detector.frames import Piece


@dataclass(frozen=True, slots=True)
class Selection:
    """Choose frames: where a mask dataset says so, that have one of some event codes; then skip, and stop.

    `mask` and `codes_in` name datasets beside the frames, in each file, with an entry a frame: of a mask, what is not 0
    is used; codes are one number a frame, or several.
    """

    mask: str | None = None
    codes_in: str | None = None
    codes: tuple[int, ...] = ()
    skip: int = 0
    most: int | None = None

    def __post_init__(self) -> None:
        if bool(self.codes) != bool(self.codes_in):
            raise DefinitionError(
                "event codes are chosen by both: the dataset that holds them, and the codes"
            )
        if self.skip < 0 or (self.most is not None and self.most < 1):
            raise DefinitionError(f"skip = {self.skip} must be 0 or more, most = {self.most} 1 or more")

    def apply(self, pieces: Sequence[Piece], told: list[str]) -> list[Piece]:
        """Give pieces with the chosen frames only; tell how many those are."""
        made, skip, left = [], self.skip, self.most
        before = sum(len(piece.places) for piece in pieces)
        for piece in pieces:
            places = piece.places[self._wanted(piece)]
            skipped = min(skip, len(places))
            places = places[skipped:][:left]
            skip, left = skip - skipped, None if left is None else left - len(places)
            made.append(replace(piece, places=places))
        after = sum(len(piece.places) for piece in made)
        if after < before:
            told.append(f"{after} of {before} stored frames were chosen")
        return made

    def _wanted(self, piece: Piece) -> NDArray[np.bool_]:
        """Say which of the stored frames of a piece are wanted by mask and codes."""
        wanted = np.ones(len(piece.places), np.bool_)
        if self.mask:
            wanted &= _beside(piece, self.mask).reshape(-1)[piece.places] != 0
        if self.codes_in:
            codes = _beside(piece, self.codes_in)[piece.places]
            wanted &= np.isin(codes, self.codes).reshape(len(wanted), -1).any(axis=1)
        return wanted


def _beside(piece: Piece, name: str) -> NDArray[Any]:
    """Read a dataset of the same file, with an entry for each frame. Raises Unreadable if it has not."""
    if piece.path.suffix == ".npy":
        raise Unreadable(
            f"{piece.path} has no dataset {name}; frames of .npy files are chosen by number only"
        )
    with open_hdf5(piece.path) as file:
        found, frames = follow(file, piece.path, name)[()], len(file[piece.name])
    if len(found) != frames:
        raise Unreadable(
            f"{piece.path}: {name} has {len(found)} entries for {frames} frames; one each is needed"
        )
    return found

"""Forests of decision trees as arrays: kept in HDF5, walked by all events at once. Nothing is unpickled, nothing imported."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from penstock.workflows.telescope.toy.files import about_of, open_file, read, write_file

Array = NDArray[np.float64]

PURPOSES = ("log_energy", "disp_norm", "disp_sign", "gammaness")


@dataclass(frozen=True)
class Forest:
    """Trees one after the other: a row a node. An event goes to `left` if its feature is at most `threshold`, else to
    `right`; of a leaf both are the leaf itself. `value` is what a leaf says, `roots` are where trees begin.
    """

    roots: NDArray[np.int32]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    feature: NDArray[np.int16]
    threshold: NDArray[np.float64]
    value: NDArray[np.float64]

    @classmethod
    def of(cls, trees: list[Any], value_of: Any) -> Self:
        """Take the arrays of scikit-learn's trees; `value_of` makes one number of a node's values."""
        roots = np.cumsum([0, *(tree.node_count for tree in trees)])
        own = np.arange(roots[-1])
        left, right = (
            np.concatenate(
                [
                    getattr(tree, f"children_{side}") + root
                    for tree, root in zip(trees, roots[:-1], strict=True)
                ]
            )
            for side in ("left", "right")
        )
        feature = np.concatenate([tree.feature for tree in trees])
        leaf = feature < 0
        left, right = (np.where(leaf, own, each).astype(np.int32) for each in (left, right))
        return cls(
            roots[:-1].astype(np.int32),
            left,
            right,
            np.where(leaf, 0, feature).astype(np.int16),
            np.concatenate([tree.threshold for tree in trees]),
            np.concatenate([value_of(tree.value) for tree in trees]).astype(np.float64),
        )

    def predict(self, features: NDArray[Any]) -> Array:
        """Give the mean of what the trees say of events (rows × features); features are compared in single precision."""
        given = np.ascontiguousarray(features, np.float32).astype(np.float64)
        node = np.tile(self.roots, (len(given), 1))
        row = np.arange(len(given))[:, None]
        while True:
            smaller = given[row, self.feature[node]] <= self.threshold[node]
            further = np.where(smaller, self.left[node], self.right[node])
            if np.array_equal(further, node):
                return self.value[node].mean(axis=1)
            node = further


@dataclass(frozen=True)
class Models:
    """A forest for each purpose, and what is known about them (features, camera, …)."""

    forests: dict[str, Forest]
    about: dict[str, Any]

    def write(self, path: Path) -> None:
        """Write them; the same models give the same bytes."""
        arrays = {
            f"{purpose}/{each.name}": getattr(forest, each.name)
            for purpose, forest in self.forests.items()
            for each in fields(forest)
        }
        write_file(path, "models", self.about, arrays)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what `write` wrote. Raises Unusable if the file is damaged, or lacks a forest."""
        with open_file(path, "models") as file:
            forests = {
                purpose: Forest(*(read(file, f"{purpose}/{each.name}") for each in fields(Forest)))
                for purpose in PURPOSES
            }
            return cls(forests, about_of(file))

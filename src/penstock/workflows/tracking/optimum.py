"""The minimum of a smooth function above lower bounds: Newton's method with exact sparse second derivatives.

A projected Newton method (Bertsekas 1982): parameters that are near their bound and pushed against it follow their gradient, the
others Newton's step, with a multiple of the diagonal added where the second derivatives are not positive definite.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, diags_array
from scipy.sparse.linalg import SuperLU, splu

Array = NDArray[np.float64]
TOLERANCE = 1e-7  # of gradients, each over the square root of its second derivative
MOST = 200
DECREASE = 1e-4  # of what the gradient promises
HALVINGS = 50
CONVERGED, OUT_OF_TIME = "converged", "out of time"


class Function(Protocol):
    """A function with exact derivatives."""

    def value(self, x: Array) -> float: ...

    def slopes(self, x: Array) -> tuple[Array, csc_array]: ...


@dataclass(frozen=True)
class Optimum:
    """Where it ended. `norm` is the largest |∂U/∂x| / √(∂²U/∂x²) of parameters that are free: 1 is about a standard error."""

    x: Array
    value: float
    norm: float
    iterations: int
    reason: str
    bound: NDArray[np.bool_]

    @property
    def converged(self) -> bool:
        return self.reason == CONVERGED


def minimise(
    function: Function,
    start: Array,
    lower: Array,
    *,
    tolerance: float = TOLERANCE,
    max_runtime: float | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Optimum:
    """Go down from `start` until `norm` is at most `tolerance`; what is out of time (s) says so, and may be gone on with."""
    ends = None if max_runtime is None else clock() + max_runtime
    x, damping, reason = np.maximum(start, lower), 0.0, f"not converged in {MOST} iterations"
    value = function.value(x)
    for iteration in range(MOST):
        slope, curve = function.slopes(x)
        scale, bound = _scale(curve), (x <= lower) & (slope > 0)
        norm = _norm(slope, scale, bound)
        if norm <= tolerance:
            return _polish(function, x, lower, Optimum(x, value, norm, iteration, CONVERGED, bound))
        if ends is not None and clock() >= ends:
            reason = OUT_OF_TIME
            break
        step, damping = _newton_step(x, lower, slope, curve, scale, damping)
        found = _search(function, x, lower, step, slope, value)
        if found is None:
            reason = "stuck: no step goes down"
            break
        x, value = found
    slope, curve = function.slopes(x)
    bound = (x <= lower) & (slope > 0)
    return Optimum(x, value, _norm(slope, _scale(curve), bound), iteration, reason, bound)


def _norm(slope: Array, scale: Array, bound: NDArray[np.bool_]) -> float:
    return float(np.max(np.where(bound, 0.0, np.abs(slope) / np.sqrt(scale)), initial=0.0))


def _scale(curve: csc_array) -> Array:
    """Give second derivatives, positive ones: those that are not are taken for a small share of the median."""
    diagonal = curve.diagonal()
    positive = diagonal[diagonal > 0]
    usual = float(np.median(positive)) if len(positive) else 1.0
    return np.maximum(diagonal, 1e-9 * usual)


def _newton_step(
    x: Array, lower: Array, slope: Array, curve: csc_array, scale: Array, damping: float
) -> tuple[Array, float]:
    """Give a step that goes down, and the damping that made it one."""
    active = (x - lower <= 1e-3 / np.sqrt(scale)) & (slope > 0)
    step, free = -slope / scale, np.flatnonzero(~active)
    if not len(free):
        return step, damping
    part = csc_array(curve[free][:, free])
    damping = damping / 10 if damping > 1e-6 else 0.0
    while (factors := factor(csc_array(part + damping * diags_array(scale[free])))) is None:
        damping = max(10 * damping, 1e-3)
    step[free] = -factors.solve(slope[free])
    return step, damping


def factor(matrix: csc_array) -> SuperLU | None:
    """Factor a symmetric matrix; None if it is not positive definite.

    SuperLU in symmetric mode takes pivots from the diagonal, in one order for rows and columns: then their signs are those of the
    eigenvalues. It does not use BLAS's threads, so that results are the same with any number of them.
    """
    try:
        made = splu(
            matrix,
            permc_spec="MMD_AT_PLUS_A",
            diag_pivot_thresh=0.0,
            options={"SymmetricMode": True},
        )
    except RuntimeError:  # exactly singular
        return None
    positive = np.array_equal(made.perm_r, made.perm_c) and bool(np.all(made.U.diagonal() > 0))
    return made if positive else None


def _search(
    function: Function, x: Array, lower: Array, step: Array, slope: Array, value: float
) -> tuple[Array, float] | None:
    """Halve the step until it goes down enough."""
    share = 1.0
    room = 1e-13 * abs(value)  # rounding of the value itself
    for _ in range(HALVINGS):
        there = np.maximum(x + share * step, lower)
        found = function.value(there)
        if np.isfinite(found) and found <= value + DECREASE * slope @ (there - x) + room:
            return (there, found) if np.any(there != x) else None
        share /= 2
    return None


def _polish(function: Function, x: Array, lower: Array, found: Optimum) -> Optimum:
    """Take one more whole step, if it brings the gradient down: then the result depends on no path."""
    slope, curve = function.slopes(x)
    step, damping = _newton_step(x, lower, slope, curve, _scale(curve), 0.0)
    there = np.where(found.bound, x, np.maximum(x + step, lower))
    if damping:
        return found
    slope, curve = function.slopes(there)
    bound = (there <= lower) & (slope > 0)
    norm = _norm(slope, _scale(curve), bound)
    if not norm < found.norm:
        return found
    return Optimum(there, function.value(there), norm, found.iterations + 1, found.reason, bound)

"""Tracking: coverage of the errors, bias of D, error of V, and how long inference takes.

    python -m bench.tracking coverage [--per-cell 400]
    python -m bench.tracking speed [--rounds 3]
    python -m bench.tracking bias

Coverage pools about 1,400 cells of free diffusion (D = 0.1 µm²/s, dt = 20 ms, trajectories of 20 positions) at each
D dt / σ². Speed gives CPU seconds, the least of the rounds; making the data is not timed. Bias is the slope of V on the
truth in a well of 2 kT, beside 1 + σ²/(D dt) − t_e/(3 dt), and with `origins = "corrected"`, with the rms error of V.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from penstock.workflows.tracking.inference import ORIGINS, Settings, compare_potential, infer
from penstock.workflows.tracking.regions import boxes
from penstock.workflows.tracking.simulator import Medium, make_wells, simulate
from penstock.workflows.tracking.tessellation import Tessellation, tessellate
from penstock.workflows.tracking.translocations import find_translocations, within

D, DT = 0.1, 0.02
FIELD = np.array([[1.0, 1.0], [9.0, 9.0]])
WELLS = make_wells((0.6, 0.6, 0.35, 2.5), (1.4, 1.4, 0.4, 1.5))


def cover(per_cell: int) -> Iterator[str]:
    """Yield how often the true D is within one error, and how far the mean D is off."""
    for ratio in (0.1, 0.3, 1.0, 3.0):
        sigma = (D * DT / ratio) ** 0.5
        medium = Medium(D, box=((0.0, 0.0), (10.0, 10.0)))
        seen = simulate(medium, 120 * per_cell, length=20, dt=DT, sigma=sigma, substeps=1, seed=1)
        steps = within(find_translocations(seen), boxes([(1, 9, 1, 9)])[0])
        sampling = tessellate(steps, FIELD, Tessellation(per_cell=per_cell, min_count=per_cell // 2))
        for errors in ("laplace", "shared"):
            made = infer(sampling, steps, Settings(sigma, "d", errors=errors))
            d, error = made.values["diffusivity"], made.errors["diffusivity"]
            inside = np.mean(np.abs(d - D) < error)
            bias = np.average(d, weights=made.counts) / D - 1
            yield (
                f"D dt / σ² = {ratio:3.1f}, {len(d)} cells of {per_cell}, {errors:8}: {inside:.3f} covered, "
                f"mean D {bias:+.1%}, at the bound {np.mean(d == 0):.1%}, flagged {np.mean(made.flags % 4 > 0):.1%}"
            )


def least(work: Callable[[], Any], rounds: int) -> float:
    """Give the least CPU time of some rounds, in s."""
    taken = []
    for _ in range(rounds):
        begun = time.process_time()
        work()
        taken.append(time.process_time() - begun)
    return min(taken)


def race(rounds: int) -> Iterator[str]:
    """Yield CPU times of inference of wells, and of diffusivity alone of a million steps."""
    box = np.array([[0.0, 0.0], [2.0, 2.0]])
    medium = Medium(D, WELLS, ((-0.4, -0.4), (2.4, 2.4)))  # walls push: they are outside of the region
    for trajectories in (700, 2800, 11200):
        seen = simulate(medium, trajectories, length=20, dt=DT, sigma=0.02, seed=1)
        steps = within(find_translocations(seen), boxes([(0, 2, 0, 2)])[0])
        sampling = tessellate(steps, box, Tessellation(per_cell=len(steps) // 85))
        settings = Settings(0.02, diffusivity_prior=20.0)
        seconds = least(lambda a=sampling, b=steps, c=settings: infer(a, b, c), rounds)
        made = infer(sampling, steps, settings)
        truth = medium.v(sampling.cells.centres)
        rms = compare_potential(made.values["potential"], truth, made.counts)
        yield (
            f"dv with errors, {len(steps)} steps, {len(sampling.cells)} cells: {seconds:.2f} CPU-s, "
            f"{made.optimum.iterations} iterations, norm {made.optimum.norm:.1g}, V rms {rms:.2f} kT"
        )
    medium = Medium(D, box=((0.0, 0.0), (10.0, 10.0)))
    many = find_translocations(simulate(medium, 52_632, length=20, dt=DT, sigma=0.02, substeps=1, seed=1))
    whole, settings = np.array([[0.0, 0.0], [10.0, 10.0]]), Settings(0.02, "d")
    seconds = least(lambda: infer(tessellate(many, whole), many, settings), rounds)
    yield f"tessellate and d with errors, {len(many)} steps: {seconds:.2f} CPU-s"


def lean() -> Iterator[str]:
    """Yield how much deeper V is than the truth, for errors of position."""
    box = np.array([[0.0, 0.0], [2.0, 2.0]])
    medium = Medium(D, make_wells((1.0, 1.0, 0.5, 2.0)), ((-0.6, -0.6), (2.6, 2.6)))
    for sigma, exposure in ((0.0, 0.0), (0.02, 0.0), (0.03, 0.0), (0.0, DT), (0.03, DT)):
        found: dict[str, list[tuple[float, float]]] = {origins: [] for origins in ORIGINS}
        for seed in (1, 2):
            seen = simulate(medium, 8_000, length=20, dt=DT, sigma=sigma, exposure=exposure, seed=seed)
            steps = within(find_translocations(seen), boxes([(0, 2, 0, 2)])[0])
            sampling = tessellate(steps, box, Tessellation(per_cell=len(steps) // 100))
            truth = medium.v(sampling.cells.centres)
            for origins, each in found.items():
                made = infer(sampling, steps, Settings(sigma, exposure=exposure, origins=origins))
                v = made.values["potential"]
                slope = float(np.polyfit(truth, v, 1, w=made.counts**0.5)[0])
                each.append((slope, compare_potential(v, truth, made.counts)))
        expected = 1 + sigma**2 / (D * DT) - exposure / (3 * DT)
        means = {origins: np.mean(each, axis=0) for origins, each in found.items()}
        texts = [f"{origins} {slope:.2f}, {rms:.2f} kT rms" for origins, (slope, rms) in means.items()]
        yield f"σ = {sigma} µm, t_e = {exposure} s, expected {expected:.2f}: {'; '.join(texts)}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("coverage", "speed", "bias"))
    parser.add_argument("--per-cell", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    work = {"coverage": lambda: cover(chosen.per_cell), "speed": lambda: race(chosen.rounds), "bias": lean}
    for line in work[chosen.what]():
        print(line, flush=True)


if __name__ == "__main__":
    main()

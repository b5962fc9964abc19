"""The Ising model in C agrees with Onsager's solution."""

import math
import shutil
import statistics
import subprocess
from pathlib import Path

import pytest

from penstock.workflows.sweep import read_program
from penstock.workflows.sweep.program import READY

BLOCK = 100  # sweeps: far more than the few for which the model remembers, away from the transition


def elliptic_k(modulus: float) -> float:
    """Give the complete elliptic integral of the first kind, by the arithmetic-geometric mean."""
    one, two = 1.0, math.sqrt(max(0, 1 - modulus**2))
    while abs(one - two) > 1e-14:
        one, two = (one + two) / 2, math.sqrt(one * two)
    return math.pi / (2 * one)


def onsager_energy(temperature: float) -> float:
    """Give the energy per spin of the infinite lattice (Onsager, Phys. Rev. 65, 117, 1944, eq. 116)."""
    twice = 2 / temperature
    modulus = 2 * math.sinh(twice) / math.cosh(twice) ** 2
    return -(1 + 2 / math.pi * (2 * math.tanh(twice) ** 2 - 1) * elliptic_k(modulus)) / math.tanh(twice)


def onsager_magnetisation(temperature: float) -> float:
    """Give the spontaneous magnetisation below the transition (Yang, Phys. Rev. 85, 808, 1952)."""
    return (1 - math.sinh(2 / temperature) ** -4) ** 0.125


@pytest.fixture(scope="module")
def executable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not shutil.which("cc"):
        pytest.skip("no C compiler")
    made = tmp_path_factory.mktemp("ising") / "ising"
    source = READY / "ising.c"
    subprocess.run(["cc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", made, source, "-lm"], check=True)
    return made


def measure(executable: Path, folder: Path, **given: object) -> list[tuple[float, float]]:
    program = read_program(READY / "ising.toml")
    values = program.defaults() | {name: program.variables[name].read(value) for name, value in given.items()}
    for name, content in program.render(values).items():
        (folder / name).write_bytes(content)
    subprocess.run([executable], cwd=folder, check=True)
    lines = (folder / "ising.out").read_text().splitlines()[1:]
    return [(float(energy), float(magnetisation)) for energy, magnetisation in map(str.split, lines)]


def mean_and_error(values: list[float]) -> tuple[float, float]:
    """Average, with the standard error of averages over blocks, which are as good as independent."""
    blocks = [statistics.fmean(values[n : n + BLOCK]) for n in range(0, len(values), BLOCK)]
    return statistics.fmean(blocks), statistics.stdev(blocks) / math.sqrt(len(blocks))


@pytest.mark.parametrize("temperature", [1.5, 2.0, 3.0, 4.0])
def test_energy_and_magnetisation_are_onsagers(executable: Path, tmp_path: Path, temperature: float) -> None:
    """Allow five standard errors: by chance about one run in two million is further off, and this one has a fixed seed.

    The torus of 32 × 32 itself differs from the infinite lattice by about exp(-32 / correlation length), which is
    below a millionth at these temperatures, whose correlation lengths are less than 2.3.
    """
    rows = measure(executable, tmp_path, temperature=repr(temperature), sweeps=5000)
    energy, error = mean_and_error([row[0] for row in rows])
    assert error < 0.004
    assert abs(energy - onsager_energy(temperature)) < 5 * error
    magnetisation, error = mean_and_error([row[1] for row in rows])
    if temperature < 2.269:
        assert error < 0.004
        assert abs(magnetisation - onsager_magnetisation(temperature)) < 5 * error
    else:
        assert magnetisation < 0.2


def test_onsagers_formulas_have_their_known_values() -> None:
    critical = 2 / math.log(1 + math.sqrt(2))
    assert onsager_energy(critical * (1 + 1e-6)) == pytest.approx(-math.sqrt(2), abs=1e-4)
    assert onsager_energy(0.5) == pytest.approx(-2, abs=1e-5)
    assert onsager_magnetisation(1.0) == pytest.approx(0.99927, abs=1e-5)


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(executable: Path, tmp_path: Path) -> None:
    once, again, other = (measure(executable, tmp_path, size=8, sweeps=50, seed=seed) for seed in (4, 4, 5))
    assert once == again != other


def test_an_input_that_makes_no_sense_is_refused(executable: Path, tmp_path: Path) -> None:
    (tmp_path / "ising.inpt").write_text("size 1\n")
    done = subprocess.run([executable], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr[:6]) == (2, "ising:")

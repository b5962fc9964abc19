"""The demonstration: half an hour of made-up sound, or a folder of recordings, through everything."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.errors import DefinitionError
from penstock.workflows.acoustics.definition import Shape
from penstock.workflows.acoustics.init import BATCH, write_campaign
from penstock.workflows.acoustics.tables import summary
from penstock.workflows.setup import demo
from penstock.workflows.setup.demo import Say

if TYPE_CHECKING:
    from numpy.typing import NDArray

RATE, SECONDS, COUNT = 48_000, 60, 30
FIRST = datetime(2026, 1, 17, 4, 0, tzinfo=UTC)
GAP = (12, timedelta(minutes=5))  # nothing is recorded before this file for so long
TRUNCATED, OTHER_RATE, CLIPPED = 7, 19, 23
SEED = 20260117
SENSITIVITY, PEAK_VOLTAGE = -170.0, 2.0


@dataclass(frozen=True, slots=True)
class Take:
    """One made-up recording."""

    number: int
    begin: datetime

    @property
    def name(self) -> str:
        return f"demo_{self.begin:%Y%m%d_%H%M%S}.wav"

    @property
    def rate(self) -> int:
        return RATE // 2 if self.number == OTHER_RATE else RATE


def takes() -> Iterator[Take]:
    """Give the recordings of the demonstration: back to back, but for one gap."""
    number, wait = GAP
    for i in range(COUNT):
        yield Take(i, FIRST + timedelta(seconds=SECONDS * i) + (wait if i >= number else timedelta()))


def run_demo(folder: Path, audio: Path | None, say: Say, scheduler: str | None = None) -> None:
    """Make or take recordings, set a campaign up, show what is wrong with them, run it, say where to look."""
    demo.run_demo(folder, lambda: _set_up(folder, audio, say), say=say, scheduler=scheduler)
    say(f"and at {folder}/spectra/*.nc (open with xarray), {folder}/ltas.nc, {folder}/report/qc.csv")
    say(f"pages and pictures alone, for a web server: {folder}/public")
    for words in (("close", "--verify", "campaign"), ("provenance", "of", "ltas.png")):
        say(f"\n$ penstock {shlex.join(words)}")
        subprocess.run([sys.executable, "-m", "penstock", *words], cwd=folder, check=False)


def _set_up(folder: Path, audio: Path | None, say: Say) -> None:
    if audio is None:
        source, params = folder / "audio", {"sensitivity": SENSITIVITY, "peak_voltage": PEAK_VOLTAGE}
        say(f"making {COUNT * SECONDS // 60} minutes of recordings in {source}")
        write_recordings(source)
    else:
        source, params = audio, {}
        if not any(source.iterdir()):
            raise DefinitionError(f"{source} is empty; name a folder of recordings")
    say(f"\n$ penstock init acoustics {shlex.quote(str(folder))} --audio {shlex.quote(str(source))}")
    made = write_campaign(
        folder, str(source), shape=Shape(BATCH, settle="1s", close=True, public="public"), params=params
    )
    for line in summary(made.dataset, made.settings):
        say(line)


def write_recordings(folder: Path) -> list[Path]:
    """Write the made-up recordings, faults and all."""
    folder.mkdir(parents=True, exist_ok=True)
    return [write_take(folder, take) for take in takes()]


def write_take(folder: Path, take: Take) -> Path:
    import soundfile

    path = folder / take.name
    soundfile.write(path, make_sound(take), take.rate, subtype="PCM_16")
    if take.number == TRUNCATED:
        with path.open("r+b") as file:
            file.truncate(path.stat().st_size * 6 // 10)
    return path


def make_sound(take: Take) -> NDArray[Any]:
    """Mix sea-like noise, a humming tone, chirps and passing clicks; each recording is always the same."""
    import numpy as np

    random = np.random.default_rng([SEED, take.number])
    count = take.rate * SECONDS
    time = np.arange(count, dtype=np.float32) / take.rate
    loudness = 0.006 * (1 + 0.8 * np.sin(2 * np.pi * take.number / COUNT))
    sound = loudness * _red_noise(random, count)
    sound += 0.004 * np.sin(2 * np.pi * 440 * time)
    for start in random.uniform(0, SECONDS - 2, 8):
        _add_chirp(sound, take.rate, float(start), float(random.uniform(3000, 9000)))
    for start in random.uniform(0, SECONDS - 1, 12):
        _add_click(sound, take.rate, float(start), random)
    if take.number == CLIPPED:
        sound *= 30
    return np.clip(sound, -1, 1).astype(np.float32)


def _red_noise(random: Any, count: int) -> NDArray[Any]:
    """Make noise whose power falls with frequency, by a one-pole filter on white noise."""
    from scipy.signal import lfilter

    white = random.standard_normal(count, dtype="float32")
    return lfilter([0.35], [1, -0.9], white).astype("float32") + 0.2 * white


def _add_chirp(sound: NDArray[Any], rate: int, start: float, top: float) -> None:
    import numpy as np

    first, count = int(start * rate), int(0.9 * rate)
    time = np.arange(count) / rate
    phase = 2 * np.pi * (1500 * time + (top - 1500) / 1.8 * time**2)
    sound[first : first + count] += (0.03 * np.sin(phase) * np.hanning(count)).astype(np.float32)


def _add_click(sound: NDArray[Any], rate: int, start: float, random: Any) -> None:
    import numpy as np

    first, count = int(start * rate), rate // 200
    burst = random.standard_normal(count) * np.exp(-np.arange(count) / (rate / 1000))
    sound[first : first + count] += (0.2 * burst).astype(np.float32)

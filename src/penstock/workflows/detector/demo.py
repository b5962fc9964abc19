"""The demonstration: runs of made-up detectors arrive while penstock watches, not all of them as they should."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from penstock import record
from penstock.errors import PenstockError
from penstock.workflows.detector.init import RUNS, Shape, Store, write_campaign
from penstock.workflows.setup.definition import FILE
from penstock.workflows.setup.demo import Say, send_to

SHAPE, FRAMES = (2, 48, 96), 160  # of a frame, and in a stream
STREAMS = 2
PIECES, BEAT_S = 8, 0.4  # in which a file grows, and between them
PATIENCE_S = 180.0
FAULTS: Mapping[str, Mapping[int, str]] = {
    "xpptut15": {700: "dead", 701: "dead", 5000: "noisy", 8000: "offset"},
    "cxil2316": {12: "saturated", 4000: "frozen", 6000: "zeros 30 %"},
    "amox27716": {},
}
LATER = {9001: "noisy", 9002: "noisy", 9003: "noisy"}  # what breaks in the last runs
STORE = Store("calib/{instrument}/{experiment}", "Demo::CalibV1", "Hutch.0:Demo.0")


def run_demo(folder: Path, say: Say, scheduler: str | None = None) -> None:
    """Set a campaign up, let runs arrive while `penstock watch` is at work, say what came of them and where to look."""
    is_new = not (folder / FILE).exists()
    if is_new:
        set_up(folder)
        say(f"wrote {folder / FILE}; the controlled experiments are {' and '.join([*FAULTS][:2])}")
    else:
        say(f"{folder} already holds a campaign: continuing with it")
    site = send_to(scheduler, folder, say)[1:] if scheduler else []
    say(f"\n$ cd {folder} && penstock watch &   # what it says is in {folder}/watch.log")
    with watching(folder, [word for name in site for word in ("--set", f'campaign.site="{name}"')]):
        if is_new:
            take_runs(folder / "data", say)
            settle_the_odd(folder, say)
        await_files(folder, [f"trend/{name[:3].upper()}/{name}.html" for name in [*FAULTS][:2]])
    for words in (["detector"], ["detector", "new"], ["history", "CXI/cxil2316/1"]):
        penstock(folder, *words, say=say)
    for name in [*FAULTS][:2]:
        say(f"\nSee {(folder / f'trend/{name[:3].upper()}/{name}.html').resolve().as_uri()}")


def set_up(folder: Path) -> None:
    """Write the definition of the demonstration's campaign."""
    names = folder / "experiments.txt"
    folder.mkdir(parents=True, exist_ok=True)
    shape = Shape(streams=STREAMS, settle="1s", quiet="2s", store=STORE)
    write_campaign(folder, f"{folder}/data/{RUNS}", experiments=None, every=True, shape=shape)
    names.write_text("# experiments that are processed\nxpptut15\n\ncxil2316   # since October\n", "utf-8")


def take_runs(data: Path, say: Say) -> None:
    """Write runs as instruments do, and as they should not."""
    daq = Daq(data)
    say("run 1 of each experiment comes; amox27716 is not in experiments.txt")
    for experiment in FAULTS:
        daq.take(experiment, 1)
    say("run 2 of xpptut15 grows slowly: one stream is `.inprogress`, the other under its own name")
    daq.take("xpptut15", 2, write=grow)
    say("run 3 of xpptut15 never gets its second stream, and a file has a bad name")
    daq.take("xpptut15", 3, streams=1)
    daq.take("xpptut15", 4, name="{experiment}-r00x4-s{stream:02d}-c00.h5")
    for number in (5, 6, 7):
        say(
            f"run {number} of both comes"
            + (": three more pixels of xpptut15 are noisy" if number == 7 else "")
        )
        for experiment in [*FAULTS][:2]:
            daq.take(experiment, number, faults=LATER if (experiment, number) == ("xpptut15", 7) else {})
    await_files(data.parent, ["trend/CXI/cxil2316.html"])
    say("run 1 of cxil2316 changes, after it was processed")
    daq.take("cxil2316", 1, faults={500: "dead"})


def settle_the_odd(folder: Path, say: Say) -> None:
    """Do what a person would about a run that never completes, and about one that has changed."""
    await_that(folder, lambda: any_stale(folder), "no change")
    penstock(folder, "why", "XPP/xpptut15/3", "--stage", "pixel_status", say=say)
    penstock(folder, "veto", "XPP/xpptut15/3", "--why", "its second stream was lost", say=say)
    penstock(folder, "redo", "CXI/cxil2316/1", "--why", "the file was repaired", say=say)
    await_that(folder, lambda: not any_stale(folder), "no result of what was redone")


class Daq:
    """What writes runs: each experiment has a detector with faults of its own."""

    def __init__(self, data: Path) -> None:
        self.data = data

    def take(
        self,
        experiment: str,
        run: int,
        *,
        faults: Mapping[int, str] | None = None,
        streams: int = STREAMS,
        name: str = "",
        write: Callable[[Path, bytes, int], None] | None = None,
    ) -> None:
        """Write a run, stream after stream."""
        for stream in range(streams):
            values = {
                "instrument": experiment[:3].upper(),
                "experiment": experiment,
                "run": run,
                "stream": stream,
            }
            path = self.data / RUNS.format(**values, chunk=0)
            path = path.with_name(name.format(**values)) if name else path
            path.parent.mkdir(parents=True, exist_ok=True)
            content = frames_of({**FAULTS[experiment], **(faults or {})}, seed=run * STREAMS + stream)
            (write or put)(path, content, stream)


def frames_of(
    faults: Mapping[int, str], *, seed: int, frames: int = FRAMES, shape: tuple[int, ...] = SHAPE
) -> bytes:
    """Give an HDF5 file with frames of a detector that has these faults."""
    import io

    import h5py

    from penstock.workflows.detector.simulator import simulate

    made = io.BytesIO()
    with h5py.File(made, "w") as file:
        data = simulate(frames, shape, faults, seed=seed).frames
        file.create_dataset("entry/data/data", data=data, chunks=(1, *shape))
    return made.getvalue()


def put(path: Path, content: bytes, stream: int) -> None:
    """Write a file at once."""
    path.write_bytes(content)


def grow(path: Path, content: bytes, stream: int) -> None:
    """Write a file slowly: the first stream beside its place, the others under their own names."""
    place = path.with_name(f"{path.name}.inprogress") if stream == 0 else path
    step = -(-len(content) // PIECES)
    for at in range(0, len(content), step):
        with place.open("ab") as file:
            file.write(content[at : at + step])
        time.sleep(BEAT_S)
    os.replace(place, path)


@contextmanager
def watching(folder: Path, words: Sequence[str]) -> Iterator[None]:
    """Let `penstock watch` work on a campaign meanwhile."""
    command = [sys.executable, "-m", "penstock", "watch", *words]
    with (folder / "watch.log").open("ab") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
        try:
            yield
        finally:
            process.terminate()
            process.wait()


def any_stale(folder: Path) -> bool:
    """Say whether a result is of files that have changed since, or is being made anew."""
    with record.open(folder) as opened:
        return any(task.stale or task.state != "done" for task in opened.tasks(unit="CXI/cxil2316"))


def await_files(folder: Path, names: Sequence[str]) -> None:
    """Wait until files are there. Raises PenstockError if they do not come."""
    for name in names:
        await_that(folder, (folder / name).exists, f"no {name}")


def await_that(folder: Path, holds: Callable[[], bool], name: str) -> None:
    """Wait until something holds. Raises PenstockError if it does not come to that."""
    until = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > until:
            raise PenstockError(f"{name} has come; see `penstock status` in {folder}, and {folder}/watch.log")
        time.sleep(BEAT_S)


def penstock(folder: Path, *words: str, say: Say) -> None:
    """Run a command in a campaign, and let it print."""
    say(f"\n$ penstock {shlex.join(words)}")
    subprocess.run([sys.executable, "-m", "penstock", *words], cwd=folder, check=False)

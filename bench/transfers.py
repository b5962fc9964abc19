"""Files to a far site and back: one large one, beside `scp`, and ten thousand small ones, beside what else is installed.

    python -m bench.transfers [--rounds 3]

Starts an SSH server of its own on the loopback (see tests/sshd.py). Contestants take turns. Ours is flushed to the disk and
compared by digests at both ends, theirs are neither; the digests of what is sent are known before, as they are in a campaign.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from tests.sshd import HOST, bring_up, end_connections

from bench.table import Row, render
from penstock.campaign import Site
from penstock.runner.blocks import digest_of
from penstock.transports.protocol import Copy
from penstock.transports.ssh import SshTransport
from penstock.transports.ssh.connection import as_options

LARGE, COUNT, SMALL = 1 << 30, 10_000, 1000
PIECE = 1 << 24


def main() -> None:
    """Measure, and print tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    with far_site() as (way, folder, config):
        large = medians(one_large(way, folder, config), rounds)
        small = medians(many_small(way, folder, config), rounds)
    print(
        f"1 GiB over the loopback, {rounds} rounds, medians (target: at least 0.8 × as fast as `scp`):",
        "",
        sep="\n",
    )
    print(*render(beside_scp(large)), "", sep="\n")
    print(f"{COUNT:,} files of {SMALL} bytes (target: 10 s):", "", sep="\n")
    print(*render([("", "wall s"), *((name, f"{wall:.2f}") for name, wall in small.items())]), sep="\n")


def beside_scp(walls: Mapping[str, float]) -> list[Row]:
    """Return the rows of large files, each compared with `scp` the same way."""
    rows: list[Row] = [("", "wall s", "speed × scp")]
    for name, wall in walls.items():
        scp = walls["scp, there" if name.endswith("there") else "scp, back"]
        rows.append((name, f"{wall:.2f}", f"{scp / wall:.2f}"))
    return rows


@contextmanager
def far_site() -> Iterator[tuple[SshTransport, Path, Path]]:
    """Yield the way to a server on this machine, a folder, and the client's configuration."""
    with tempfile.TemporaryDirectory(prefix="penstock-bench-") as name:
        folder = Path(name)
        server = bring_up(folder / "sshd", "Subsystem sftp internal-sftp")
        os.environ.update(PENSTOCK_SSH_CONFIG=str(server.config), PENSTOCK_STATE=str(folder / "state"))
        way = SshTransport(Site("far", "slurm", host=HOST, transport="ssh"), folder / "there")
        try:
            way.login()
            way.hold("bench", {})
            yield way, folder, server.config
        finally:
            end_connections(folder / "state")
            server.down()


def one_large(way: SshTransport, folder: Path, config: Path) -> dict[str, Callable[[], float]]:
    """Return what sends and fetches one large file."""
    made = folder / "large"
    with made.open("wb") as file:
        for _ in range(LARGE // PIECE):
            file.write(os.urandom(PIECE))
    os.link(made, way.folder / "made")  # both fetch it: the first look at a file is slow
    copy = Copy("large", made, LARGE, digest_of(str(made)))
    back = copy._replace(name="made", path=folder / "back" / "large")
    return {
        "penstock, there": timed(lambda: way.send([copy]), gone=[way.folder / "large"]),
        "scp, there": timed(lambda: scp(config, str(made), f"{HOST}:{folder}/scp"), gone=[folder / "scp"]),
        "penstock, back": timed(lambda: way.fetch([back]), gone=[back.path]),
        "scp, back": timed(lambda: scp(config, f"{HOST}:{made}", f"{folder}/scp"), gone=[folder / "scp"]),
    }


def many_small(way: SshTransport, folder: Path, config: Path) -> dict[str, Callable[[], float]]:
    """Return what sends and fetches many small files."""
    (folder / "small").mkdir()
    copies = list[Copy]()
    for n in range(COUNT):
        made = folder / "small" / f"{n}"
        made.write_bytes(os.urandom(SMALL))
        digest = digest_of(str(made))
        copies.append(Copy(f"store/{digest[:2]}/{digest}", made, SMALL, digest))
    back = [copy._replace(path=folder / "returned" / copy.path.name) for copy in copies]
    return {
        "penstock, there": timed(lambda: way.send(copies), gone=[way.folder / "store"]),
        **{
            f"{name}, there": timed(partial(subprocess.run, argv, check=True), gone=[folder / "peer"])
            for name, argv in peers(config, folder / "small", folder / "peer").items()
        },
        "penstock, back": timed(lambda: way.fetch(back), gone=[folder / "returned"]),
        "penstock, there again, where all is there": timed(lambda: way.send(copies), gone=[]),
    }


def timed(transfer: Callable[[], object], *, gone: list[Path]) -> Callable[[], float]:
    """Return what takes the time of a transfer, from a quiet disk on and to where nothing is."""

    def measure() -> float:
        for path in gone:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        os.sync()
        began = time.monotonic()
        transfer()
        return time.monotonic() - began

    return measure


def peers(config: Path, here: Path, there: Path) -> dict[str, list[str]]:
    """Return the commands by which others copy a folder, as far as they are installed."""
    ssh = shlex.join(["ssh", *plain(config)])
    commands = {
        "scp -r": ["scp", "-qr", *plain(config), str(here), f"{HOST}:{there}"],
        "rsync -a": ["rsync", "-a", "-e", ssh, f"{here}/", f"{HOST}:{there}"],
        "tar through ssh": [
            "sh",
            "-c",
            f"tar -C {here} -c . | {ssh} {HOST} 'mkdir {there} && tar -C {there} -x'",
        ],
    }
    return {name: argv for name, argv in commands.items() if shutil.which(name.split()[0])}


def scp(config: Path, *words: str) -> None:
    """Copy by `scp`."""
    subprocess.run(["scp", "-q", *plain(config), *words], check=True)


def plain(config: Path) -> list[str]:
    """Return the words for a connection of its own, as people have."""
    options = ("ClearAllForwardings=yes", "ControlPath=none", "RemoteCommand=none", "RequestTTY=no")
    return ["-F", str(config), *as_options(options)]


def medians(contests: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """Return the median time of each contestant; they take turns."""
    taken: dict[str, list[float]] = {name: [] for name in contests}
    for _ in range(rounds):
        for name, contest in contests.items():
            taken[name].append(contest())
    return {name: statistics.median(times) for name, times in taken.items()}


if __name__ == "__main__":
    main()

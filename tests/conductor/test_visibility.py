"""What nodes wrote is seen late on a shared file system: it is waited for, and nothing is taken for lost meanwhile."""

import os
import subprocess
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

import pytest
from tests.conductor.grid import run_afresh

from penstock import config
from penstock.campaign import Site
from penstock.conductor import Conductor
from penstock.schedulers import find_scheduler
from penstock.schedulers.model import Known, Limits, Phase, Request, Sighting
from penstock.site import ClusterSite
from penstock.site.folders import JobFolders
from penstock.site.protocols import Life
from penstock.testing import ManualClock, make_campaign
from penstock.transports.local import LocalTransport
from penstock.transports.protocol import REFRESH_S, Entry

TOML = """
[campaign]
name = "late"
levels = ["file"]
[units]
files = "in/{file}.txt"
[site.far]
scheduler = "slurm"
[stage.copy]
each = "file"
command = ["cp", "{path}", "{product}"]
products = "out/{file}.txt"
batch = 2
site = "far"
"""


class LateLogin(ClusterSite):
    """A login node that sees a job's files so many seconds after the job has ended; its nodes work at once."""

    def __init__(self, site: Site, root: Path, clock: ManualClock, late_s: float) -> None:
        super().__init__(site, root, scheduler=find_scheduler("slurm"))
        self.clock, self.late_s = clock, late_s
        self.submitted = dict[str, Request]()
        self.visible_at = 0.0

    def submit(self, request: Request) -> str:
        native = str(100 + len(self.submitted))
        self.submitted[native] = request
        for element in range(1, request.elements + 1):
            array = (
                {"SLURM_ARRAY_JOB_ID": native, "SLURM_ARRAY_TASK_ID": str(element)}
                if request.elements > 1
                else {}
            )
            environment = {"PATH": os.environ["PATH"], "SLURM_JOB_ID": native, **array}
            script = self.job_folder(request.token) / "script.sh"
            subprocess.run(["sh", str(script)], env=environment, check=True, timeout=60)
        self.visible_at = self.clock.now() + self.late_s
        return native

    @property
    def sees(self) -> bool:
        return self.clock.now() >= self.visible_at

    def event_files(self, tokens: Collection[str]) -> list[Life]:
        return super().event_files(tokens) if self.sees else []

    def new_events(
        self, known: Mapping[Life, int | None], tokens: Collection[str] = ()
    ) -> Mapping[Life, bytes]:
        return super().new_events(known, tokens) if self.sees else {}

    def queue(self, jobs: Sequence[Known]) -> list[Sighting]:
        return [
            Sighting(native, element, Phase.ENDED, "COMPLETED", exit_code=0)
            for native, request in self.submitted.items()
            for element in ([*range(1, request.elements + 1)] if request.elements > 1 else [None])
        ]

    def history(self, jobs: Sequence[Known]) -> list[Sighting]:
        return self.queue(jobs)

    def find(self, tokens: Sequence[str]) -> Mapping[str, str]:
        return {request.token: native for native, request in self.submitted.items()}

    def limits(self) -> Limits:
        return Limits(accounting=True)


def run_late(
    folder: Path, late_s: float, *, fresh: bool = False
) -> tuple[LateLogin, list[str], dict[str, str]]:
    """Run four files on a cluster whose files are seen so late; return the site, the attempts, and the states."""
    made = make_campaign(folder, TOML, files={f"in/{n}.txt": str(n) for n in range(4)})
    campaign, clock = config.load(folder), ManualClock(now=1_700_000_000.0)
    site = LateLogin(campaign.sites["far"], folder, clock, late_s)

    def start() -> Conductor:
        return Conductor(campaign, command="run", clock=clock, clusters={"far": site})

    if fresh:
        clock.stride = 5.0
        run_afresh(start)
    with start() as conductor:
        conductor.run()
        outcomes = [row[0] for row in conductor.ledger.db.execute("SELECT outcome FROM attempt ORDER BY id")]
    return site, outcomes, made.states("copy")


@pytest.mark.parametrize("fresh", [False, True], ids=["one conductor", "a new one every turn"])
@pytest.mark.parametrize("late_s", [0.0, 30.0, 59.0, 100.0])
def test_what_is_seen_late_is_waited_for_and_runs_once(tmp_path: Path, late_s: float, fresh: bool) -> None:
    site, outcomes, states = run_late(tmp_path, late_s, fresh=fresh)
    assert set(states.values()) == {"done"}
    assert outcomes == ["ok"] * 4
    assert len(site.submitted) == 1


def test_what_is_not_seen_for_far_longer_is_done_again(tmp_path: Path) -> None:
    site, _, _ = run_late(tmp_path, 4000.0)
    assert len(site.submitted) > 1


class CoarseTransport(LocalTransport):
    """Folders as a network file system shows them: listed anew only when the folder's time, in seconds, has moved."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.kept: tuple[int, list[str]] = (-1, [])
        self.seconds = 0

    def list(self, folders: Iterable[str]) -> dict[str, Mapping[str, Entry]]:
        found = super().list(folders)
        if self.kept[0] != self.seconds:
            self.kept = (self.seconds, [*found["p1"]])
        return {"p1": dict.fromkeys(self.kept[1], Entry(0, 0.0))}

    def refresh_listing(self, folder: str) -> None:
        before = (self.folder / folder).stat().st_mtime_ns
        super().refresh_listing(folder)
        self.seconds += (self.folder / folder).stat().st_mtime_ns > before


def test_a_listing_that_a_network_file_system_keeps_for_ever_is_made_anew(tmp_path: Path) -> None:
    transport = CoarseTransport(tmp_path)
    folders = JobFolders(transport, tmp_path)
    folders.place("p1", {"spec.json": b"{}"})
    assert folders.event_files(["p1"]) == []
    (tmp_path / "p1" / "1.1.jsonl").touch()  # within the same second of the server's clock
    assert folders.event_files(["p1"]) == []
    transport.listings.refreshed["p1"] -= REFRESH_S
    assert folders.event_files(["p1"]) == [("p1", 1, 1)]
    assert sorted(os.listdir(tmp_path / "p1")) == ["1.1.jsonl", "spec.json"]


def test_a_folder_that_is_gone_is_not_made_by_looking_at_it(tmp_path: Path) -> None:
    assert JobFolders(LocalTransport(tmp_path), tmp_path).event_files(["p1"]) == []
    assert os.listdir(tmp_path) == []

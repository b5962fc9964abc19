"""A site that cannot be reached is a state: all else goes on, nothing of it changes, and it costs nobody a try."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.conductor.grid import COPY, Grid, taking

from penstock.cli.live import Lines
from penstock.conductor import Conductor
from penstock.explain import explain
from penstock.ledger import Ledger
from penstock.ledger.experience import Experience, absences, experience_of
from penstock.pretended.way import CUT
from penstock.status import Status
from penstock.testing import Fault, ManualClock, PretendCluster, make_campaign

HOUR, DAY = 3600.0, 86_400.0
TIMES = 1_000_000


def known(it: Grid) -> Experience:
    with Ledger.open(it.root, readonly=True) as ledger:
        return experience_of(ledger.db, "pretend")


def status(it: Grid) -> Status:
    with Ledger.open(it.root, readonly=True) as ledger:
        return Status.read(ledger, now=it.clock.now())


def cut(it: Grid, *, after: float, lasting: float, fault: Fault = Fault.UNREACHABLE) -> None:
    """Let nobody get through for a while."""
    it.at(after, lambda: it.cluster.inject(fault, TIMES))
    it.at(after + lasting, it.cluster.clear_faults)


def no_try_was_spent(it: Grid) -> None:
    assert it.rows("SELECT DISTINCT tries, free FROM task") == [(0, 0)]
    assert {row[0] for row in it.rows("SELECT DISTINCT outcome FROM attempt")} == {"ok"}
    assert set(it.begun().values()) == {1}


@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize("after", [0.0, 35.0, 50.0])
def test_what_is_done_meanwhile_is_collected_when_the_site_is_back(
    tmp_path: Path, after: float, fresh: bool
) -> None:
    it = Grid(tmp_path, units=9, slots=2, fresh=fresh, stride=10.0)
    cut(it, after=after, lasting=HOUR)
    assert it.run().code == 0
    assert it.states() == {"done": 9}
    no_try_was_spent(it)
    assert known(it).away is None
    assert it.rows("SELECT * FROM problem") == []


@pytest.mark.parametrize("fresh", [False, True])
def test_it_is_tried_more_and_more_rarely_but_every_five_minutes(tmp_path: Path, fresh: bool) -> None:
    it, left = Grid(tmp_path, slots=2, fresh=fresh, stride=5.0, queue_s=60.0), list[int]()
    cut(it, after=30.0, lasting=HOUR)
    it.at(HOUR, lambda: left.append(it.cluster.faults[Fault.UNREACHABLE]))
    it.at(HOUR, lambda: left.append(known(it).failures))
    it.run()
    assert 16 <= TIMES - left[0] <= 20
    assert left[1] == TIMES - left[0]
    assert it.states() == {"done": 6}


@pytest.mark.parametrize("fresh", [False, True])
def test_a_connection_that_is_cut_again_and_again_costs_nothing(tmp_path: Path, fresh: bool) -> None:
    it = Grid(tmp_path, units=8, slots=2, fresh=fresh)
    for n in range(40):
        it.at(7.0 * n, lambda: it.cluster.inject(Fault.CUT_OFF, 1))
        it.at(7.0 * n + 3, lambda: it.cluster.inject(Fault.UNREACHABLE, 1))
    assert it.run().code == 0
    assert it.states() == {"done": 8}
    no_try_was_spent(it)


@pytest.mark.parametrize("fresh", [False, True])
def test_a_job_whose_submission_was_cut_off_is_found_by_its_name(tmp_path: Path, fresh: bool) -> None:
    it = Grid(tmp_path, units=4, fresh=fresh, queue_s=30.0)
    sbatch = it.cluster.slurm.sbatch

    def cut_then(words, fault=None):
        it.cluster.inject(Fault.CUT_OFF, 1)
        return sbatch(words, fault)

    it.cluster.slurm.sbatch = cut_then
    it.run()
    assert len(it.cluster.jobs) == 1
    no_try_was_spent(it)


def test_status_why_and_the_log_say_so_and_call_it_no_problem(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    it = Grid(tmp_path, COPY.replace("batch = 2", "batch = 1"), queue_s=9e9, site="max_jobs = 1\n")
    it.tick()
    it.cluster.inject(Fault.UNREACHABLE)
    it.clock.set(1_600_000_920.0)
    it.tick()
    line = f"paused: cannot reach pretend since 12:42:00 UTC, 1 job there; {CUT}"
    assert line in status(it).to_text().splitlines()
    assert status(it).problems == ()
    with Ledger.open(it.root, readonly=True) as ledger:
        unit = ledger.db.execute("SELECT unit FROM task WHERE state = 'queued'").fetchone()[0]
        assert explain(ledger, unit, now=it.clock.now())[0].why.endswith(f"; {line}")
        lines = Lines()
        lines.observe(ledger)
        lines.finish()
    assert capsys.readouterr().out.count("paused: cannot reach pretend") == 1, "said once"


def test_a_person_who_must_log_in_is_told_what_to_type_and_noticed_soon(tmp_path: Path) -> None:
    it = Grid(tmp_path, queue_s=9e9)
    it.tick()
    it.cluster.inject(Fault.LOGIN_NEEDED)
    for _ in range(60):
        it.tick()
    (note,) = [note for _, note in status(it).sites]
    assert note.startswith("paused: cannot reach pretend since ")
    assert note.endswith(", 1 job there; needs you: `penstock site login pretend`")
    assert TIMES - it.cluster.faults[Fault.LOGIN_NEEDED] >= 50, "looked at with every turn"
    it.cluster.clear_faults()
    it.tick()
    assert known(it).away is None


def test_whoever_starts_a_run_has_it_tried_at_once(tmp_path: Path) -> None:
    it = Grid(tmp_path)
    it.tick()
    it.cluster.inject(Fault.UNREACHABLE)
    for _ in range(58):
        it.tick()
    it.cluster.clear_faults()
    assert known(it).is_left_alone(it.clock.now())
    begun = it.clock.now()
    it.run()
    assert it.clock.now() - begun < 120


def test_a_clock_that_is_put_back_leaves_no_site_alone_for_long(tmp_path: Path) -> None:
    it = Grid(tmp_path, rule=taking(5.0))
    it.tick()
    it.cluster.inject(Fault.UNREACHABLE)
    it.tick()
    it.cluster.clear_faults()
    it.clock.set(it.clock.now() - 365 * DAY)
    it.tick()
    assert known(it).away is None


def test_what_a_person_took_away_meanwhile_is_cancelled_when_the_site_is_back(tmp_path: Path) -> None:
    it = Grid(tmp_path, queue_s=9e9)
    it.tick()
    it.cluster.inject(Fault.UNREACHABLE)
    it.tick()
    it.ask("cancel")
    it.tick()
    assert it.states() == {"failed": 6}
    assert it.cluster.commands("scancel") == []
    it.cluster.clear_faults()
    for _ in range(10):
        it.tick()
    assert len(it.cluster.commands("scancel")) == 1
    assert it.rows("SELECT DISTINCT state FROM job") == [("finished",)]


@pytest.mark.parametrize("away", ["one", "two"])
def test_other_sites_go_on(tmp_path: Path, away: str) -> None:
    text = (
        '[campaign]\nname = "both"\nlevels = ["run"]\n[units]\ntable = "runs.csv"\n'
        f'[site.one]\nscheduler = "slurm"\nworkdir = "{tmp_path}/one"\n'
        f'[site.two]\nscheduler = "slurm"\nworkdir = "{tmp_path}/two"\n'
    ) + "".join(
        f'[stage.at_{name}]\neach="run"\nsite = "{name}"\ncommand = ["cp", "x", "{{product}}"]\nproducts = "of/{name}/{{run}}"\n'
        for name in ("one", "two")
    )
    made = make_campaign(tmp_path, text, {"runs.csv": "run\na\nb\n"})
    clock, campaign = ManualClock(stride=5.0), made.load()
    clusters = {name: PretendCluster(clock, rule=taking(30.0)) for name in ("one", "two")}
    there = {name: clusters[name].site(campaign.sites[name], tmp_path) for name in clusters}
    clusters[away].inject(Fault.UNREACHABLE)
    with Conductor(campaign, command="watch", clock=clock, clusters=there) as conductor:
        for _ in range(40):
            conductor.turn()
            clock.turn(10.0)
        other = "two" if away == "one" else "one"
        assert set(made.states(f"at_{other}").values()) == {"done"}
        assert set(made.states(f"at_{away}").values()) == {"ready"}
        assert len(absences(conductor.ledger.db, clock.now())) == 1


TRANSPORT = """
from penstock.errors import AuthNeeded
from penstock.transports.local import LocalTransport
class Far(LocalTransport):
    def read(self, offsets):
        raise AuthNeeded("site 'coulson' needs you: `penstock site login coulson`")
    list = run = write = remove = pack = look = read
def open_far(site, folder):
    return Far(folder)
"""


def test_a_tick_at_a_site_that_cannot_be_reached_exits_with_0_and_says_so(tmp_path: Path) -> None:
    package = tmp_path / "lib" / "far-1.dist-info"
    package.mkdir(parents=True)
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: far\nVersion: 1\n")
    (package / "entry_points.txt").write_text("[penstock.transports]\nfar = far_transport:open_far\n")
    (package.parent / "far_transport.py").write_text(TRANSPORT)
    root = tmp_path / "campaign"
    text = 'campaign = { name = "c", levels = ["run"], site = "coulson" }\nunits = { table = "runs.csv" }\n'
    text += '[site.coulson]\nscheduler = "slurm"\ntransport = "far"\n' + COPY.replace("{night}/", "")
    make_campaign(root, text, {"runs.csv": "run\na\n"})
    done = subprocess.run(
        [sys.executable, "-m", "penstock", "tick"], cwd=root, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(package.parent)}, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[1].startswith("paused: cannot reach coulson since ")
    assert done.stdout.splitlines()[1].endswith("; needs you: `penstock site login coulson`")

"""Where the record lies when its campaign is on a file system that hosts share, and how it gets to another host."""

import json
import os
import shutil
import signal
import socket
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from tests.kills import kill_at

from penstock.errors import Held, LedgerError, NothingYet
from penstock.ledger import FILE, FOLDER, Ledger
from penstock.ledger.hosts import claims as claiming
from penstock.ledger.hosts.claims import LASTS_S
from penstock.ledger.hosts.handover import confirm
from penstock.ledger.hosts.lease import find_holder, held, renew_claim
from penstock.ledger.hosts.location import home_of
from penstock.ledger.requests import ask, leave_file, take_in
from penstock.machine import Machine
from penstock.testing import ManualClock

START = 1_700_000_000.0


class Cluster:
    """Hosts that share one folder, each with a disk of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.root, self.clock = folder, folder / "shared" / "winter", ManualClock(now=START)
        self.root.mkdir(parents=True)
        (folder / "ssd").mkdir()
        self.committed = set[str]()

    def host(self, name: str, *, kind: str = "nfs4") -> Machine:
        mounts = f"1 0 0:1 / / rw - ext4 sda rw\n2 1 0:2 / {self.folder}/shared rw - {kind} fs:/ rw\n"
        return Machine(name, mounts, [self.folder / "shared" / "home", self.folder / "disks" / name])

    def write(self, machine: Machine, name: str, *, root: Path | None = None, **options: object) -> None:
        """Work on the campaign at one host, and leave."""
        root = root or self.root
        with (
            held(root, command="run", clock=self.clock, machine=machine, **options) as ledger,
            ledger.transaction(),
        ):
            ledger.set_meta(name, "written")

    def read(self, machine: Machine, *, root: Path | None = None) -> set[str]:
        """Return what one host sees of all that was written."""
        with Ledger.open(root or self.root, readonly=True, machine=machine) as ledger:
            sql = "SELECT name FROM meta WHERE value = 'written'"
            return {row[0] for row in ledger.db.execute(sql)}

    def die(self, machine: Machine, name: str, *, publish: bool = False, root: Path | None = None) -> None:
        """Work on the campaign at one host, and be killed."""

        def work() -> None:
            with held(root or self.root, command="run", clock=self.clock, machine=machine) as ledger:
                if publish:
                    ledger.publish_if_due(now=self.clock.now(), monotonic=0.0)
                with ledger.transaction():
                    ledger.set_meta(name, "written")
                os.kill(os.getpid(), signal.SIGKILL)

        in_child(work)


def in_child(work: Callable[[], object]) -> int:
    """Do something in a process of its own; return how that ended."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException as error:
            os.write(2, repr(error).encode())
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1]


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    return Cluster(tmp_path)


@pytest.fixture
def one(cluster: Cluster) -> Machine:
    return cluster.host("login1")


@pytest.fixture
def two(cluster: Cluster) -> Machine:
    return cluster.host("login2")


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def test_on_a_local_disk_the_record_stands_beside_its_campaign(cluster: Cluster) -> None:
    cluster.write(cluster.host("login1", kind="xfs"), "a")
    assert names(cluster.root / FOLDER) == [FILE, f"{FILE}-closed"]


@pytest.mark.parametrize("kind", ["nfs", "lustre", "gpfs", "fuse.sshfs"])
def test_on_a_shared_file_system_it_is_on_the_hosts_own_disk(cluster: Cluster, kind: str) -> None:
    host = cluster.host("login1", kind=kind)
    cluster.write(host, "a")
    home = home_of(cluster.root, host)
    assert home.is_relative_to(cluster.folder / "disks" / "login1")
    assert home.stat().st_mode & 0o777 == 0o600 or home.parent.stat().st_mode & 0o777 == 0o700
    assert names(cluster.root / FOLDER) == ["ledger.1.json", "ledger.1.sqlite"]


def test_no_sqlite_file_with_locks_or_a_log_is_ever_on_the_shared_file_system(
    cluster: Cluster, one: Machine
) -> None:
    with held(cluster.root, command="run", clock=cluster.clock, machine=one) as ledger:
        ledger.publish_if_due(now=START, monotonic=0.0)
        with ledger.transaction():
            ledger.set_meta("a", "written")
        assert names(cluster.root / FOLDER) == ["ledger.1.json", "ledger.1.sqlite"]


def test_when_no_disk_is_the_hosts_own_people_are_told_what_to_set(cluster: Cluster) -> None:
    host = Machine("login1", cluster.host("login1").mounts, [cluster.folder / "shared" / "home"])
    with pytest.raises(
        LedgerError, match=r"is on NFS, and login1 has no disk of its own .* set PENSTOCK_STATE"
    ):
        cluster.write(host, "a")


def test_what_was_given_back_goes_on_at_any_host(cluster: Cluster, one: Machine, two: Machine) -> None:
    for number, host in enumerate([one, two, two, one, cluster.host("login3"), one]):
        cluster.write(host, f"w{number}")
    assert cluster.read(one) == cluster.read(two) == {f"w{n}" for n in range(6)}
    assert len(names(cluster.root / FOLDER)) == 2


def test_going_on_at_the_same_host_copies_nothing(cluster: Cluster, one: Machine) -> None:
    cluster.write(one, "a")
    before = home_of(cluster.root, one).stat().st_ino
    cluster.write(one, "b")
    assert home_of(cluster.root, one).stat().st_ino == before


def test_a_turn_that_changes_nothing_publishes_nothing(cluster: Cluster, one: Machine, two: Machine) -> None:
    cluster.write(one, "a")
    copy = cluster.root / FOLDER / "ledger.1.sqlite"
    before = copy.stat().st_mtime_ns
    for _ in range(3):
        with held(cluster.root, command="tick", clock=cluster.clock, machine=one):
            pass
    assert copy.stat().st_mtime_ns == before
    cluster.write(two, "b")
    assert cluster.read(one) == {"a", "b"}


def test_while_one_host_works_another_is_held_and_reads_the_copy(
    cluster: Cluster, one: Machine, two: Machine
) -> None:
    with held(cluster.root, command="run", clock=cluster.clock, machine=one) as ledger:
        with ledger.transaction():
            ledger.set_meta("a", "written")
        ledger.publish_if_due(now=START, monotonic=0.0)
        with ledger.transaction():
            ledger.set_meta("b", "written")
        with pytest.raises(Held, match=f"`penstock run`, process {os.getpid()} on login1"):
            cluster.write(two, "c")
        assert (cluster.read(one), cluster.read(two)) == ({"a", "b"}, {"a"})
        with Ledger.open(cluster.root, readonly=True, machine=two) as copy:
            assert copy.as_of == START
            assert copy.note
            assert "the record of winter is on login1; this is its copy as of" in copy.note
        found = find_holder(cluster.root, START, two)
        assert found
        assert found.host == "login1"
    assert find_holder(cluster.root, START, two) is None
    with Ledger.open(cluster.root, readonly=True, machine=two) as whole:
        assert (whole.as_of, whole.note) == (None, None)


def test_a_copy_cannot_be_written(cluster: Cluster, one: Machine, two: Machine) -> None:
    cluster.write(one, "a")
    with (
        Ledger.open(cluster.root, readonly=True, machine=two) as ledger,
        pytest.raises(sqlite3.OperationalError),
    ):
        ledger.set_meta("b", "written")
    with pytest.raises(Held):
        Ledger.open(cluster.root, machine=two)


def test_before_anything_was_run_readers_are_told_so(cluster: Cluster, one: Machine) -> None:
    with pytest.raises(NothingYet):
        cluster.read(one)


def test_copies_are_made_at_most_each_minute_and_in_little_of_the_time(
    cluster: Cluster, one: Machine
) -> None:
    with held(cluster.root, command="run", clock=cluster.clock, machine=one) as ledger:
        publisher, made = ledger.publisher, []
        assert publisher
        for second in range(0, 2000, 10):
            with ledger.transaction():
                ledger.set_meta(f"s{second}", "written")
            before = publisher.next
            ledger.publish_if_due(now=START, monotonic=float(second))
            if publisher.next != before:
                made.append(second)
                publisher.took_s = 1.0 if second < 600 else 10.0
                publisher.next = second + publisher.pause()
    assert made[:4] == [0, 60, 120, 180]
    assert all(later - earlier == 500 for earlier, later in zip(made[-3:], made[-2:], strict=False))


def test_a_copy_that_cannot_be_written_is_a_problem_and_no_end(cluster: Cluster, one: Machine) -> None:
    with held(cluster.root, command="run", clock=cluster.clock, machine=one) as ledger:
        (cluster.root / FOLDER / ".ledger.1.sqlite").mkdir()
        ledger.publish_if_due(now=START, monotonic=0.0)
        assert "other hosts do not see" in ledger.db.execute("SELECT why FROM problem").fetchone()[0]
        (cluster.root / FOLDER / ".ledger.1.sqlite").rmdir()
        ledger.publish_if_due(now=START, monotonic=100.0)
        assert ledger.db.execute("SELECT count(*) FROM problem").fetchone()[0] == 0


def test_after_a_kill_the_same_host_goes_on_by_itself(cluster: Cluster, one: Machine) -> None:
    cluster.write(one, "a")
    cluster.die(one, "b")
    cluster.write(one, "c")
    assert cluster.read(one) == {"a", "b", "c"}


def test_after_a_kill_another_host_is_told_where_the_record_is(
    cluster: Cluster, one: Machine, two: Machine
) -> None:
    cluster.write(one, "a")
    cluster.die(one, "b", publish=True)
    with pytest.raises(Held, match="is held by"):
        cluster.write(two, "c")
    cluster.clock.turn(LASTS_S + 1)
    with pytest.raises(
        Held, match=r"is on login1, in .*exited without releasing it: continue there, or, .*ledger adopt"
    ):
        cluster.write(two, "c")
    assert cluster.read(two) == {"a"}
    assert cluster.read(one) == {"a", "b"}


def test_who_adopts_goes_on_from_the_copy(cluster: Cluster, one: Machine, two: Machine) -> None:
    cluster.write(one, "a")
    cluster.die(one, "b")
    with pytest.raises(Held, match="is held by"):
        cluster.write(two, "c", adopt=True)
    cluster.clock.turn(LASTS_S + 1)
    cluster.write(two, "c", adopt=True)
    assert cluster.read(two) == cluster.read(one) == {"a", "c"}
    cluster.write(one, "d")
    assert cluster.read(two) == {"a", "c", "d"}


def test_what_the_lost_host_alone_had_is_kept_aside_there(
    cluster: Cluster, one: Machine, two: Machine
) -> None:
    cluster.write(one, "a")
    cluster.die(one, "b")
    cluster.clock.turn(LASTS_S + 1)
    cluster.write(two, "c", adopt=True)
    cluster.write(one, "d")
    with sqlite3.connect(home_of(cluster.root, one).with_name("superseded.sqlite")) as db:
        assert db.execute("SELECT count(*) FROM meta WHERE name = 'b'").fetchone()[0] == 1


def test_a_conductor_that_was_followed_elsewhere_ends(cluster: Cluster, one: Machine, two: Machine) -> None:
    cluster.write(one, "a")
    with held(cluster.root, command="watch", clock=cluster.clock, machine=one) as ledger:
        assert ledger.publisher
        cluster.clock.turn(LASTS_S + 1)
        cluster.write(two, "b", adopt=True)
        with pytest.raises(Held, match=r"was taken over by `penstock run`, process .* on login2"):
            ledger.check_held()
        with pytest.raises(Held, match="taken over"):
            ledger.publisher.publish(ledger.db, START)
        renew_claim(cluster.root, ledger.publisher.claim, ledger.db, cluster.clock.now())
        with pytest.raises(Held, match="on login2"), ledger.transaction():
            pytest.fail("nothing may be written")
    assert cluster.read(one) == cluster.read(two) == {"a", "b"}


def test_a_living_conductor_stays_the_holder(cluster: Cluster, one: Machine, two: Machine) -> None:
    with held(cluster.root, command="watch", clock=cluster.clock, machine=one) as ledger:
        assert ledger.publisher
        cluster.clock.turn(LASTS_S - 1)
        renew_claim(cluster.root, ledger.publisher.claim, ledger.db, cluster.clock.now())
        cluster.clock.turn(LASTS_S - 1)
        with pytest.raises(Held, match="is held by"):
            cluster.write(two, "b", adopt=True)
        ledger.check_held()


def test_of_two_hosts_that_reach_for_it_one_gets_it(cluster: Cluster, one: Machine, two: Machine) -> None:
    with held(cluster.root, command="run", clock=cluster.clock, machine=one) as ledger:
        assert ledger.publisher
        with pytest.raises(Held, match="just taken"):
            claiming.make(cluster.root / FOLDER, ledger.publisher.claim)


def test_a_claim_without_its_content_holds_only_as_long_as_it_is_fresh(
    cluster: Cluster, one: Machine
) -> None:
    cluster.write(one, "a")
    torn = cluster.root / FOLDER / "ledger.2.json"
    torn.write_bytes(b"")
    os.utime(torn, (START, START))
    with pytest.raises(Held):
        cluster.write(one, "b")
    cluster.clock.turn(LASTS_S + 1)
    cluster.write(one, "b")
    assert cluster.read(one) == {"a", "b"}


def test_a_record_from_a_local_disk_moves_with_its_campaign(
    cluster: Cluster, one: Machine, two: Machine
) -> None:
    cluster.write(cluster.host("pc", kind="ext4"), "a")
    assert cluster.read(one) == {"a"}
    cluster.write(one, "b")
    assert names(cluster.root / FOLDER) == ["ledger.1.json", "ledger.1.sqlite"]
    assert cluster.read(two) == {"a", "b"}


def test_a_campaign_that_moves_to_a_local_disk_has_its_record_beside_it_again(
    cluster: Cluster, two: Machine
) -> None:
    cluster.write(two, "a")
    moved = cluster.folder / "ssd" / "winter"
    shutil.move(cluster.root, moved)
    assert cluster.read(cluster.host("pc"), root=moved) == {"a"}
    cluster.write(cluster.host("pc"), "b", root=moved)
    assert names(moved / FOLDER) == [FILE, f"{FILE}-closed"]
    assert cluster.read(cluster.host("pc"), root=moved) == {"a", "b"}


def test_a_copy_of_a_campaign_has_a_record_of_its_own(cluster: Cluster, one: Machine) -> None:
    cluster.write(one, "a")
    other = cluster.root.with_name("spring")
    shutil.copytree(cluster.root, other)
    cluster.write(one, "b", root=other)
    cluster.write(one, "c")
    cluster.write(one, "d", root=other)
    assert cluster.read(one) == {"a", "c"}
    assert cluster.read(one, root=other) == {"a", "b", "d"}


def test_a_copy_made_at_rest_is_not_fooled_by_what_the_original_does_later(
    cluster: Cluster, one: Machine
) -> None:
    cluster.write(one, "a")
    other = cluster.root.with_name("spring")
    shutil.copytree(cluster.root, other)
    cluster.write(one, "b")
    cluster.write(one, "c", root=other)
    assert cluster.read(one, root=other) == {"a", "c"}


def test_a_copy_made_while_a_conductor_worked_never_takes_the_record_of_the_original(
    cluster: Cluster, one: Machine
) -> None:
    other = cluster.root.with_name("spring")

    def work() -> None:
        with held(cluster.root, command="run", clock=cluster.clock, machine=one) as ledger:
            with ledger.transaction():
                ledger.set_meta("a", "written")
            ledger.publish_if_due(now=START, monotonic=0.0)
            shutil.copytree(cluster.root, other)
            with ledger.transaction():
                ledger.set_meta("b", "written")

    assert in_child(work) == 0
    with pytest.raises(LedgerError, match="continue from the last published copy"):
        cluster.write(one, "c", root=other)
    cluster.write(one, "c", root=other, adopt=True)
    assert (cluster.read(one, root=other), cluster.read(one)) == ({"a", "c"}, {"a", "b"})


def test_a_campaign_that_begins_anew_in_the_same_place_does_not_find_the_old_record(
    cluster: Cluster, one: Machine
) -> None:
    cluster.write(one, "a")
    shutil.rmtree(cluster.root / FOLDER)
    with pytest.raises(NothingYet):
        cluster.read(one)
    cluster.write(one, "b")
    assert cluster.read(one) == {"b"}


def test_a_local_disk_that_was_emptied_loses_nothing_that_was_given_back(
    cluster: Cluster, one: Machine
) -> None:
    cluster.write(one, "a")
    shutil.rmtree(cluster.folder / "disks")
    assert cluster.read(one) == {"a"}
    cluster.write(one, "b")
    assert cluster.read(one) == {"a", "b"}


def test_a_local_disk_that_was_emptied_before_it_was_given_back_is_told(
    cluster: Cluster, one: Machine
) -> None:
    cluster.write(one, "a")
    cluster.die(one, "b")
    shutil.rmtree(cluster.folder / "disks")
    with pytest.raises(LedgerError, match=r"no longer exists: put it back, or .*ledger adopt"):
        cluster.write(one, "c")
    cluster.write(one, "c", adopt=True)
    assert cluster.read(one) == {"a", "c"}


def test_a_kill_between_the_two_marks_of_giving_back_loses_nothing(cluster: Cluster, one: Machine) -> None:
    with held(cluster.root, command="run", clock=cluster.clock, machine=one) as ledger:
        (cluster.root / FOLDER / ".ledger.1.sqlite").mkdir()  # nothing can be published
        with ledger.transaction():
            ledger.set_meta("a", "written")
    (cluster.root / FOLDER / ".ledger.1.sqlite").rmdir()
    [claim] = claiming.read_claims(cluster.root / FOLDER)
    assert not claim.whole
    claiming.rewrite(cluster.root / FOLDER, claim, mark="not yet in the record", before=claim.mark)
    cluster.write(one, "b")
    assert cluster.read(one) == {"a", "b"}


def test_who_is_overtaken_on_the_way_does_not_begin(cluster: Cluster, one: Machine, two: Machine) -> None:
    cluster.write(one, "a")
    [mine] = claiming.read_claims(cluster.root / FOLDER)
    cluster.write(two, "b")
    with pytest.raises(Held, match="was taken over"):
        confirm(cluster.root, mine)
    assert cluster.read(one) == cluster.read(two) == {"a", "b"}


def test_the_lease_in_an_adopted_copy_binds_nobody(cluster: Cluster, one: Machine, two: Machine) -> None:
    def work() -> None:
        with held(cluster.root, command="run", clock=cluster.clock, machine=one) as ledger:
            ledger.db.execute("UPDATE lease SET host = 'login1', boot = 'of login1'")
            ledger.publish_if_due(now=START, monotonic=0.0)
            os.kill(os.getpid(), signal.SIGKILL)

    in_child(work)
    cluster.clock.turn(LASTS_S + 1)
    cluster.write(two, "b", adopt=True)
    assert cluster.read(two) == {"b"}


def test_a_request_from_another_host_is_done_by_the_one_that_works(
    cluster: Cluster, one: Machine, two: Machine
) -> None:
    cluster.clock = ManualClock(now=time.time())
    with held(cluster.root, command="run", clock=cluster.clock, machine=one) as ledger:
        ledger.publish_if_due(now=START, monotonic=0.0)
        assert ask(cluster.root, "retry", {"all": True}, "ann", machine=two).startswith(
            "asked: `penstock run`"
        )
        take_in(ledger)
        take_in(ledger)
        [row] = ledger.db.execute("SELECT action, target, by FROM request").fetchall()
        assert tuple(row) == ("retry", '{"all": true}', "ann")
    assert names(cluster.root / FOLDER / "requests") == []
    assert json.loads((cluster.root / FOLDER / "actions.jsonl").read_text())["by"] == "ann"


def test_a_request_that_a_crash_left_behind_is_taken_in_once(cluster: Cluster, one: Machine) -> None:
    cluster.write(one, "a")
    leave_file(cluster.root, "down", {}, "ann", START)
    [left] = (cluster.root / FOLDER / "requests").iterdir()
    text = left.read_bytes()
    with held(cluster.root, command="run", clock=cluster.clock, machine=one) as ledger:
        take_in(ledger)
        left.write_bytes(text)
        take_in(ledger)
        assert ledger.db.execute("SELECT count(*) FROM request").fetchone()[0] == 1


# What becomes of it when the process is killed at each step that changes a file, from taking the record to giving
# it back. Nothing that was committed is ever silently missing, and the same host always goes on by itself.


def no_baseline(cluster: Cluster) -> None:
    """Nothing was done before."""


def at_rest_here(cluster: Cluster) -> None:
    cluster.write(cluster.host(socket.gethostname()), "before")


def at_rest_elsewhere(cluster: Cluster) -> None:
    cluster.write(cluster.host("login2"), "before")


def from_a_local_disk(cluster: Cluster) -> None:
    cluster.write(cluster.host("login2", kind="ext4"), "before")


def killed_here(cluster: Cluster) -> None:
    cluster.write(cluster.host(socket.gethostname()), "old")
    cluster.die(cluster.host(socket.gethostname()), "before")


@pytest.mark.parametrize("kind", ["nfs4", "ext4"])
@pytest.mark.parametrize(
    "prepare",
    [no_baseline, at_rest_here, at_rest_elsewhere, from_a_local_disk, killed_here],
    ids=lambda f: f.__name__,
)
def test_a_kill_at_any_step_loses_nothing_in_silence(
    tmp_path: Path, prepare: Callable[[Cluster], None], kind: str
) -> None:
    step = ended = 0
    while not ended:
        step += 1
        cluster = Cluster(tmp_path / str(step))
        prepare(cluster)
        cluster.committed = {"before"} - {"before" * (prepare is no_baseline)}
        ended = work_until(cluster, step, kind)
        check_after_kill(cluster, kind)
    assert step > (20 if kind == "nfs4" else 3)


def work_until(cluster: Cluster, step: int, kind: str) -> bool:
    """Work in a child that is killed at one step; return whether it came to its end before."""
    told, tell = os.pipe()

    def work() -> None:
        kill_at(step, {"sqlite3.connect"})
        with held(
            cluster.root,
            command="run",
            clock=cluster.clock,
            machine=cluster.host(socket.gethostname(), kind=kind),
        ) as ledger:
            ledger.publish_if_due(now=START, monotonic=0.0)
            with ledger.transaction():
                ledger.set_meta("now", "written")
            os.write(tell, b"x")

    code = in_child(work)
    os.close(tell)
    cluster.committed |= {"now"} if os.read(told, 1) else set()
    os.close(told)
    assert code in (0, signal.SIGKILL)
    return code == 0


def check_after_kill(cluster: Cluster, kind: str) -> None:
    here, far = cluster.host(socket.gethostname(), kind=kind), cluster.host("login3", kind=kind)
    cluster.clock.turn(LASTS_S + 1)
    if kind == "nfs4":
        with suppress(Held):  # it says that something is on the other host alone
            cluster.write(far, "far")
            assert cluster.read(far) >= cluster.committed | {"far"}
    cluster.write(here, "after")
    assert cluster.read(here) >= cluster.committed | {"after"}

"""Whole files and the store, with a kill before each change of a file, and with several campaigns at once."""

import os
import signal
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from tests.kills import kill_at

from penstock.runner.store import blob_of, digests_in, roots_in
from penstock.transports.local import LocalTransport
from penstock.transports.protocol import Copy

OTHERS = {"os.rmdir", "os.truncate", "os.chmod"}  # changes of files
ROUNDS, CAMPAIGNS = 60, 4


def start(work: Callable[[], object]) -> int:
    """Do something in a process of its own; return its id."""
    if (child := os.fork()) == 0:
        try:
            work()
        except BaseException as error:
            os.write(2, repr(error).encode())
            os._exit(1)
        os._exit(0)
    return child


def code_of(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def made(folder: Path, *data: bytes) -> list[Copy]:
    """Make files that go to the store."""
    folder.mkdir(exist_ok=True)
    copies = list[Copy]()
    for each in data:
        digest = sha256(each).hexdigest()
        (folder / digest).write_bytes(each)
        copies.append(Copy(blob_of(digest), folder / digest, len(each), digest, 0o444))
    return copies


def put(way: LocalTransport, root: str, copies: list[Copy]) -> None:
    """Refer to files, and send those that are missing."""
    missing = {*way.hold(root, {copy.digest: copy.size for copy in copies})}
    way.send([copy for copy in copies if copy.digest in missing])


def campaign(way: LocalTransport, copies: list[Copy], home: Path) -> None:
    """Send inputs, fetch them as if they were products, and leave."""
    put(way, "winter", copies)
    way.fetch([copy._replace(path=home / copy.digest) for copy in copies])
    way.release("winter", [copy.digest for copy in copies])


def check_store(workdir: Path) -> None:
    """Nothing has a name that is not its digest, and nothing is there that nobody refers to."""
    roots = workdir / "roots"
    named = {
        d for root in (roots_in(str(roots)) if roots.exists() else ()) for d in digests_in(f"{roots / root}")
    }
    for path in workdir.glob("store/*/*"):
        assert path.name.lstrip(".").partition(".")[0] in named
        assert path.name.startswith(".") or sha256(path.read_bytes()).hexdigest() == path.name


def files_in(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()}


def killed_campaign(way: LocalTransport, copies: list[Copy], home: Path, *, step: int) -> int:
    """Let a campaign come and go, and kill it at a step; return its exit code."""

    def work() -> None:
        kill_at(step, OTHERS)
        campaign(way, copies, home)

    return code_of(start(work))


def test_a_kill_at_any_step_leaves_nothing_that_is_wrong_and_the_next_goes_on(tmp_path: Path) -> None:
    step, code = 0, -1
    while code:
        step += 1
        folder = tmp_path / str(step)
        folder.mkdir()
        way, home = LocalTransport(folder / "work"), folder / "home"
        copies = made(folder / "here", b"own", b"shared" * 300_000, b"")
        shared = {copies[1].digest: copies[1].size}
        put(way, "summer", copies[1:2])
        code = killed_campaign(way, copies, home, step=step)
        assert code in (0, -signal.SIGKILL)
        check_store(folder / "work")
        assert way.hold("summer", shared) == [], "what another refers to is not touched"
        campaign(way, copies, home)
        assert {home / copy.digest: copy.path.read_bytes() for copy in copies} == {
            path: path.read_bytes() for path in home.iterdir()
        }
        assert files_in(folder / "work") == {".lock", "summer", *shared}
        way.release("summer", shared)
        assert not [*(folder / "work").iterdir()]
    assert step > 20


def test_of_campaigns_that_come_and_go_none_loses_what_it_refers_to(tmp_path: Path) -> None:
    copies = made(tmp_path / "here", b"own", b"shared" * 200_000, b"small")
    way = LocalTransport(tmp_path / "work")
    way.write({"x": b""})

    def come_and_go(name: str) -> None:
        for _ in range(ROUNDS):
            put(way, name, copies)
            for copy in copies:
                assert (way.folder / copy.name).stat().st_size == copy.size
            assert way.hold(name, {copy.digest: copy.size for copy in copies}) == []
            way.release(name, [copy.digest for copy in copies])

    children = [start(lambda n=n: come_and_go(f"campaign-{n}")) for n in range(CAMPAIGNS)]
    assert [code_of(child) for child in children] == [0] * CAMPAIGNS
    assert [path.name for path in (tmp_path / "work").iterdir()] == ["x"]


def test_two_that_receive_the_same_file_at_once_both_have_it(tmp_path: Path) -> None:
    (copy,) = made(tmp_path / "here", os.urandom(5 << 20))
    way = LocalTransport(tmp_path / "work")
    for _ in range(10):
        children = [start(lambda: way.send([copy])) for _ in range(3)]
        assert [code_of(child) for child in children] == [0] * 3
        assert (way.folder / copy.name).read_bytes() == copy.path.read_bytes()
        assert [path.name for path in (way.folder / copy.name).parent.iterdir()] == [copy.digest]
        (way.folder / copy.name).unlink()
